"""Hostile text through every sink: a terminal and a CI system see it as text."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from seatrial.doubles import FakeClock
from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.event import decode_event
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Counts, ImageUsed, Outcome, Problem, RunResult, Stage, StageResult
from seatrial.pipeline import Recorder
from seatrial.sinks import Sink
from seatrial.sinks.console import Console
from seatrial.sinks.github import GitHub
from seatrial.sinks.guard import CommandGuard
from seatrial.sinks.jsonl import JsonLines
from seatrial.sinks.plain import Plain

EVIL = "\x1b]52;c;eA==\x07\x1b[2J\x9b1A\u202e\rwiped\b\n::error::evil\n##[group]evil ##vso[task.x]evil"
EVIL_LINE = "::error file=a::evil\x1b[2J"

REF = ObjectRef(kind=EVIL, name=EVIL, namespace=EVIL, container=EVIL)
FINDING = Finding(cause=EVIL, subject=REF, message=EVIL_LINE, evidence=(EVIL, EVIL_LINE), hint=EVIL, fatal=True)
RESULT = RunResult(
    run=RunId("r"), environment=EnvironmentId("s"), started=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0,
    exit=ExitCode.TESTS_FAILED, verdict=EVIL, problem=Problem(message=EVIL, reason=EVIL, hint=EVIL, log=EVIL),
    counts=Counts(collected=2, failed=1, skipped=1, not_run={EVIL: 1}),
    stages=(StageResult(stage=Stage.TEST, outcome=Outcome.FAILED, started=0.0, seconds=1.0, facts={EVIL: EVIL},
                        findings=(FINDING,)),),
    images=(ImageUsed(reference=EVIL, digest=EVIL, stands_in_for=EVIL),), images_size=1, versions={EVIL: EVIL},
)  # fmt: skip
# As the decoder makes it.
NODEID = "\\::error::x::test_`<b>`[\\x1b[2J]"

BODIES: list[e.Body] = [
    e.RunStarted(environment=EnvironmentId("s"), command=("run", EVIL), stages=(Stage.TEST,), directory="/r"),
    e.StageStarted(stage=Stage.READY),
    e.StageProgress(stage=Stage.READY, text=EVIL_LINE),
    e.ServiceSeen(name=EVIL, ready=False, waits_for=EVIL),
    e.PodSeen(pod=REF, node=EVIL, phase=EVIL, ready=False, restarts=1, reason=EVIL),
    e.KubernetesEvent(type="Warning", subject=REF, reason=EVIL, message=EVIL),
    e.FindingMade(finding=FINDING),
    e.StageEnded(stage=Stage.READY, outcome=Outcome.DONE, seconds=1.0, facts={EVIL: EVIL_LINE}),
    e.StageStarted(stage=Stage.TEST),
    e.TestsCollected(count=1),
    e.TestStarted(nodeid=NODEID),
    e.TestReported(nodeid=NODEID, when="call", outcome="failed", seconds=1.0),
    e.Note(level="warning", text=EVIL),
    e.Note(level="info", text=EVIL_LINE),
    e.Note(level="debug", text=EVIL_LINE),
    e.StageEnded(stage=Stage.TEST, outcome=Outcome.FAILED, seconds=1.0, facts={EVIL: EVIL}),
    e.RunEnded(result=RESULT),
]


def record(sink: Sink) -> None:
    recorder = Recorder(RunId("r"), FakeClock(), [sink])
    for body in BODIES:
        recorder(body)
    sink.close()
    assert not recorder.lost()


SINKS: dict[str, Any] = {
    "plain": Plain,
    "plain-verbose": lambda to: Plain(to, verbose=2),
    "plain-quiet": lambda to: Plain(to, quiet=True),
    "console": lambda to: Console(to, color=False, live=False, width=200, verbose=2),
    "github": lambda to: GitHub(to, verbose=2),
}


@pytest.mark.parametrize("name", SINKS)
def test_sink_writes_no_control_character_and_no_command_from_events(name: str) -> None:
    stream = io.StringIO()
    record(SINKS[name](stream))
    text = stream.getvalue()

    assert "evil" in text
    assert not set(text) & set("\x1b\x07\x08\r\x9b\u202e")
    assert "##[" not in text
    assert "##vso[" not in text
    own = re.compile(r"::(error|warning) title=|::(end)?group::")
    for line in text.split("\n"):
        if line.lstrip().startswith("::"):
            assert name == "github", line
            assert own.match(line), line
            assert "::error" not in line[3:].split("::", 1)[0], line


def test_events_file_contains_no_effective_command(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    record(JsonLines(events))

    for line in events.read_bytes().splitlines():
        text = json.dumps(json.loads(line), ensure_ascii=False)
        assert not set(text) & set("\x9b\u202e")
        assert "\\u001b" not in text
        assert decode_event(line)


def test_github_annotates_failed_tests_after_commands_are_on_again() -> None:
    """In the stream of the tests' output, where the order of lines is certain."""
    stderr, stdout = io.StringIO(), io.StringIO()
    recorder = Recorder(
        RunId("r"), FakeClock(), [CommandGuard(stdout, token=lambda: "t"), GitHub(stderr, commands=stdout)]
    )
    for body in BODIES:
        recorder(body)

    lines = stdout.getvalue().split("\n")
    assert lines[0] == "::stop-commands::t"
    resumed = lines.index("::t::")
    assert next(index for index, line in enumerate(lines) if line.startswith("::error title=")) > resumed
