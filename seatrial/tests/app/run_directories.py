"""Write run directories as seatrial writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import msgspec
from seatrial.model import event as e
from seatrial.model.environment_facts import EnvironmentFacts, EnvironmentKind, RunnerFacts
from seatrial.model.errors import ExitCode
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import RunResult

AT = datetime(2026, 1, 31, tzinfo=UTC)
FACTS = EnvironmentFacts(kind=EnvironmentKind.KUBERNETES, key="k", runner=RunnerFacts(user=1000))


def write_run(
    directory: Path, outcomes: dict[str, str], *, facts: EnvironmentFacts | None = FACTS, text: str = ""
) -> Path:
    """Write a run with one test for each outcome, and return its directory."""
    directory.mkdir(parents=True)
    run = RunId(directory.name)
    bad = "failed" in outcomes.values()
    result = RunResult(
        run=run,
        environment=EnvironmentId("5e551040"),
        started=AT,
        seconds=1.0,
        exit=ExitCode.TESTS_FAILED if bad else ExitCode.PASSED,
        verdict="tests failed" if bad else "all tests passed",
    )
    (directory / "result.json").write_bytes(msgspec.json.encode(result))
    bodies: list[e.Body] = []
    cases = ""
    for nodeid, outcome in outcomes.items():
        bodies += [
            e.TestReported(nodeid=nodeid, when="setup", outcome="passed", seconds=0.25),
            e.TestReported(nodeid=nodeid, when="call", outcome=outcome, seconds=0.5),  # type: ignore[arg-type]
        ]
        path, _, name = nodeid.partition("::")
        inner = f"<failure message={quoteattr(text)}>{text}</failure>" if outcome == "failed" else ""
        used = '<properties><property name="services" value="web db"/></properties>'
        classname = path.removesuffix(".py").replace("/", ".")
        cases += f"<testcase classname={quoteattr(classname)} name={quoteattr(name)}>{used}{inner}</testcase>"
    events = [e.Event(run=run, seq=seq, at=AT, body=body) for seq, body in enumerate(bodies)]
    (directory / "events.jsonl").write_bytes(b"".join(e.encode_event(each) + b"\n" for each in events))
    (directory / "junit.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    if facts is not None:
        (directory / "facts.json").write_bytes(msgspec.json.encode(facts))
    logs = directory / "logs" / "pods" / "shop" / "web-1"
    logs.mkdir(parents=True)
    (logs / "c.log").write_text("started\n")
    return directory
