"""Compose run directories as a run leaves them: events, results of pytest, records and logs of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from runner.frames import log
from seatrial.model import event as e
from seatrial.model import timeline as t
from seatrial.model.blame import Blame, Cause, Fault
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Counts, ImageUsed, Outcome, Problem, RunResult, Stage, StageResult, TreeProof
from seatrial.model.selection import Selection

RUN = RunId("20260131-154501-3f2a")
START = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)
FIRST_TEST = 40.0
"""Seconds after the start of the run at which the first test starts."""


def at(seconds: float) -> datetime:
    """Return a time, in seconds after the start of the run."""
    return START + timedelta(seconds=seconds)


DIFF = [
    "    def test_total(api):",
    '>       assert api.get("/orders/1").json() == {"id": 1, "total": 30}',
    "E       AssertionError: assert {'id': 1, 'total': 20} == {'id': 1, 'total': 30}",
    "E         ",
    "E         Full diff:",
    "E           {",
    "E               'id': 1,",
    "E         -     'total': 30,",
    "E         ?              ^",
    "E         +     'total': 20,",
    "E         ?              ^",
    "E           }",
]


@dataclass
class Case:
    """A test of a composed run.

    Attributes:
        start: seconds after the start of the first test.
        sections: captured output by name.
    """

    nodeid: str
    outcome: str = "passed"
    start: float = 0.0
    seconds: float = 0.2
    services: tuple[str, ...] = ("orders-api",)
    lines: Sequence[str] = tuple(DIFF)
    message: str = "AssertionError: assert {'id': 1, 'total': 20} == {'id': 1, 'total': 30}"
    sections: Sequence[tuple[str, str]] = ()
    worker: str = ""
    reason: str = "not run: stand-in"
    line: int = 14


def blamed(nodeid: str) -> Blame:
    """Return the blame of a test whose service ran out of memory three seconds before."""
    finding = Finding(
        cause="OOMKilled",
        subject=ObjectRef(kind="Pod", name="orders-api-7886694586-nw5h2", namespace="default", container="api"),
        message="exceeded its memory limit of 64Mi",
        evidence=("exit code 137",),
        hint="raise the limit",
        brief="OOMKilled at 64Mi",
    )
    links = ("the test asked for orders-api", "the error names orders-api:80")
    cause = Cause(
        word="caused by", fault=Fault.SERVICE, finding=finding, service="orders-api", seconds=3.2, links=links
    )
    return Blame(nodeid=nodeid, fault=Fault.SERVICE, causes=(cause,))


def suite(count: int, *, failing: int = 2) -> list[Case]:
    """Return tests of a suite; some of them fail."""
    tests = []
    step = count // failing if failing else count + 1
    for number in range(count):
        name = f"tests/test_orders_{number // 20}.py::test_order_{number}"
        case = Case(name, start=number * 0.25)
        if number % step == min(3, step - 1):
            case.outcome, case.sections = "failed", (("Captured stdout call", f"order {number} created\nprice 20\n"),)
        elif number % 23 == 5:
            case.outcome = "skipped"
        elif number % 31 == 7:
            case.services = ("orders-api", "postgresql")
        tests.append(case)
    return tests


@dataclass
class RunDirectory:
    """What a run directory contains.

    Attributes:
        logs: path below `logs/pods` -> text.
    """

    tests: Sequence[Case] = ()
    exit: ExitCode = ExitCode.TESTS_FAILED
    verdict: str = "tests failed"
    problem: Problem | None = None
    findings: tuple[Finding, ...] = ()
    warnings: Sequence[str] = ()
    blames: tuple[Blame, ...] = ()
    records: Sequence[t.Record] = ()
    logs: dict[str, str] = field(default_factory=dict)
    images: tuple[ImageUsed, ...] = ()
    environment: str = "kubernetes"
    selection: Selection = field(default_factory=Selection)
    kept: bool = True
    ended: bool = True

    def write(self, directory: Path) -> Path:
        """Write the files and return the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        events = b"\n".join(e.encode_event(event) for event in self.events()) + b"\n"
        (directory / "events.jsonl").write_bytes(events)
        if self.ended:
            (directory / "result.json").write_bytes(msgspec.json.encode(self.result()))
        (directory / "frames").write_bytes(b"".join(log(*self.frames())))
        if self.records:
            lines = b"\n".join(map(t.encode_record, self.records)) + b"\n"
            (directory / t.TIMELINE_FILE).write_bytes(lines)
        for name, text in self.logs.items():
            path = directory / "logs" / "pods" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return directory

    @property
    def seconds(self) -> float:
        """Duration of the run."""
        return FIRST_TEST + max((test.start + test.seconds for test in self.tests), default=0.0) + 2.0

    def result(self) -> RunResult:
        """Return the content of `result.json`."""
        outcomes = [test.outcome for test in self.tests]
        counts = Counts(
            collected=len(outcomes),
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            errors=outcomes.count("error"),
            skipped=outcomes.count("skipped"),
        )
        tested = self.seconds - FIRST_TEST
        return RunResult(
            run=RUN,
            environment=self.environment,
            started=START,
            seconds=self.seconds,
            exit=self.exit,
            verdict=self.verdict,
            problem=self.problem,
            counts=counts,
            stages=(
                StageResult(stage=Stage.PREFLIGHT, outcome=Outcome.DONE, started=0, seconds=0.3, alone=0.3),
                StageResult(
                    stage=Stage.CLUSTER, outcome=Outcome.DONE, started=0.3, seconds=24.7, alone=24.7,
                    facts={"name": "orders-test", "kubernetes": "v1.34.4"},
                ),
                StageResult(stage=Stage.BUILD, outcome=Outcome.UNCHANGED, started=0.3, seconds=4.1),
                StageResult(stage=Stage.READY, outcome=Outcome.DONE, started=25, seconds=14.0, alone=14.0,
                            findings=self.findings),
                StageResult(stage=Stage.TEST, outcome=Outcome.DONE, started=39, seconds=tested, alone=tested),
            ),
            images=self.images,
            versions={"engine": "28.1", "helm": "v4.3.1", "kubernetes": "v1.34.4"},
            tree=TreeProof(host="b9c34ac0", pod="b9c34ac0", files=69),
            kept=self.kept,
            blame=self.blames,
        )  # fmt: skip

    def events(self) -> list[e.Event]:
        """Return the events."""
        timed: list[tuple[float, e.Body]] = [
            (0, e.RunStarted(
                environment=EnvironmentId("5e551040"), command=("test", "-k", "orders"), stages=tuple(Stage),
                directory=f"/project/.seatrial/runs/{RUN}", selection=self.selection,
            )),
            *((26.0 + number, body) for number, body in enumerate(_pods())),
            *((30.0, e.FindingMade(finding=finding)) for finding in self.findings),
            *((31.0, e.Note(level="warning", text=text)) for text in self.warnings),
            (39.0, e.TestsCollected(count=len(self.tests))),
        ]  # fmt: skip
        for test in self.tests:
            timed += _events_of(test)
        timed += [(self.seconds - 1, e.TestBlamed(blame=blame)) for blame in self.blames]
        timed.sort(key=lambda pair: pair[0])
        if self.ended:
            timed.append((self.seconds, e.RunEnded(result=self.result())))
        return [
            e.Event(run=RUN, seq=seq, at=START + timedelta(seconds=after), body=body)
            for seq, (after, body) in enumerate(timed)
        ]

    def frames(self) -> list[list[Any]]:
        """Return the frames of the pytest session."""
        session = {"version": 1, "python": "3.13.5", "pytest": "9.2.0", "rootdir": "/app", "directory": "/app"}
        return [[["session", session]], *(frame for test in self.tests for frame in _frames_of(test))]


def _pods() -> list[e.Body]:
    api = ObjectRef(kind="Pod", name="orders-api-7886694586-nw5h2", namespace="default")
    states = [("Pending", False, "ContainerCreating"), ("Running", False, ""), ("Running", True, "")]
    bodies: list[e.Body] = [
        e.PodSeen(pod=api, node="n", phase=phase, ready=ready, restarts=0, reason=reason)
        for phase, ready, reason in states
    ]
    bodies.append(
        e.KubernetesEvent(subject=api, type="Warning", reason="Unhealthy", message="Startup probe failed: HTTP 503")
    )
    return bodies


def _events_of(test: Case) -> list[tuple[float, e.Body]]:
    at = FIRST_TEST + test.start
    started: list[tuple[float, e.Body]] = [(at, e.TestStarted(nodeid=test.nodeid, worker=test.worker))]
    if test.outcome == "unfinished":
        return started
    phases = [("setup", "passed", 0.01), ("call", test.outcome, test.seconds - 0.02), ("teardown", "passed", 0.01)]
    if test.outcome in ("skipped", "error"):
        phases = [("setup", test.outcome, test.seconds)]
    for when, outcome, seconds in phases:
        at += seconds
        report = {"nodeid": test.nodeid, "when": when, "outcome": outcome, "seconds": seconds, "worker": test.worker}
        started.append((at, msgspec.convert(report, e.TestReported)))
    return started


def _frames_of(test: Case) -> list[list[Any]]:
    path, _, name = test.nodeid.partition("::")
    start = START.timestamp() + FIRST_TEST + test.start
    frames: list[list[Any]] = [[["s", f"{test.nodeid}\0{path}\0{name}", test.line - 1]]]
    common = {"nodeid": test.nodeid, "location": [path, test.line - 1, name],
              "user_properties": [["services", " ".join(test.services)]]}  # fmt: skip
    if test.outcome == "unfinished":
        return frames
    setup = {**common, "when": "setup", "outcome": "passed", "start": start, "stop": start + 0.01, "duration": 0.01}
    if test.outcome == "skipped":
        setup |= {"outcome": "skipped", "longrepr": [path, test.line, f"Skipped: {test.reason}"]}
        return [*frames, [["report", setup]]]
    if test.outcome == "error":
        return [*frames, [["report", {**setup, "outcome": "failed", "longrepr": longrepr(test, path)}]]]
    call = {**common, "when": "call", "outcome": test.outcome, "start": start + 0.01, "stop": start + test.seconds,
            "duration": test.seconds - 0.02, "sections": [list(each) for each in test.sections]}  # fmt: skip
    if test.outcome == "failed":
        call["longrepr"] = longrepr(test, path)
    return [*frames, [["report", setup], ["report", call]], [["f", test.nodeid]]]


def longrepr(test: Case, path: str) -> dict[str, Any]:
    """Return an exception as pytest serializes it."""
    place = {"path": f"/app/{path}", "lineno": test.line + 3, "message": "AssertionError"}
    data = {"lines": list(test.lines), "reprfuncargs": {"args": [["api", "<Client at 0x7f>"]]}, "reprlocals": None,
            "reprfileloc": place, "style": "long"}  # fmt: skip
    traceback = {"reprentries": [{"type": "ReprEntry", "data": data}], "extraline": None, "style": "long"}
    crash = {"path": f"/app/{path}", "lineno": test.line + 3, "message": test.message}
    return {"reprcrash": crash, "reprtraceback": traceback, "sections": [], "chain": [[traceback, crash, None]]}
