"""Doubles keep the promises of what they stand in for: where both are here, one test asks both."""

from __future__ import annotations

from datetime import timedelta

import pytest
from seatrial.adapters.machine import SystemClock
from seatrial.adapters.process import LocalProcesses
from seatrial.doubles import Answer, FakeClock, FakeProcesses, Recorded
from seatrial.model import event as e
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime
from seatrial.model.names import RunId
from seatrial.model.result import Stage
from seatrial.ports import Clock, Processes
from seatrial.sinks import Sink

SCRIPT = "echo hello; echo oh >&2; exit 3"


@pytest.fixture(params=["real", "fake"])
def processes(request) -> Processes:
    if request.param == "real":
        return LocalProcesses()
    return FakeProcesses(
        {
            "sh": Answer(),
            "sh -c": Answer(code=3, stdout="hello\n", stderr="oh\n"),
            "sleep": Answer(hangs=True),
        }
    )


@pytest.fixture(params=["real", "fake"])
def clock(request) -> Clock:
    return SystemClock() if request.param == "real" else FakeClock()


def test_what_a_program_said(processes, tmp_path):
    lines: list[str] = []
    done = processes.run(
        ["sh", "-c", SCRIPT],
        deadline=Deadline.after(10),
        log=tmp_path / "new" / "x.log",
        line=lines.append,
        check=False,
    )

    assert (done.code, done.stdout, done.stderr) == (3, b"hello\n", b"oh\n")
    assert done.argv == ("sh", "-c", SCRIPT)
    assert sorted(lines) == ["hello", "oh"]
    command, *said = (tmp_path / "new" / "x.log").read_text().splitlines()
    assert command == f"$ sh -c '{SCRIPT}'"
    assert sorted(said) == ["hello", "oh"]


def test_failing_programs_raise(processes):
    with pytest.raises(CommandFailed) as caught:
        processes.run(["sh", "-c", SCRIPT], deadline=Deadline.after(10))

    assert caught.value.code == 3
    assert caught.value.argv == ("sh", "-c", SCRIPT)


def test_programs_that_do_not_end(processes):
    with pytest.raises(OutOfTime):
        processes.run(["sleep", "60"], deadline=Deadline.after(0.2))


def test_programs_on_path(processes):
    assert processes.find("sh")
    assert processes.find("no-such-program") is None


def test_the_longest_answer_that_fits():
    seen: list[str] = []
    fake = FakeProcesses({"helm": Answer(stdout="any"), "helm version": Answer(stdout="v4", does=seen.extend)})

    assert fake.run(["helm", "version", "--short"], deadline=Deadline.after(1)).stdout == b"v4"
    assert fake.run(["helm", "list"], deadline=Deadline.after(1)).stdout == b"any"
    assert seen == ["helm", "version", "--short"]
    assert fake.ran == [("helm", "version", "--short"), ("helm", "list")]
    with pytest.raises(LookupError, match="no answer for kind get clusters"):
        fake.run(["kind", "get", "clusters"], deadline=Deadline.after(1))
    fake.stop()
    assert fake.stopped


def test_clocks_tell_the_zone_and_never_run_backwards(clock):
    first = clock.now()

    assert first.utcoffset() is not None
    assert clock.now() >= first


def test_time_passes_when_told():
    clock = FakeClock()
    before = clock.now()
    clock.advance(90)

    assert clock.now() - before == timedelta(seconds=90)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_recorded_events(recorded_event):
    recorded = Recorded()
    sink: Sink = recorded
    note = e.Note(level="info", text="a")
    recorded(note)
    sink(recorded_event)
    sink.close()

    assert recorded.bodies == [note, recorded_event.body]
    assert recorded.of(e.StageStarted) == [recorded_event.body]
    assert recorded.closed


@pytest.fixture
def recorded_event() -> e.Event:
    body = e.StageStarted(stage=Stage.BUILD)
    return e.Event(run=RunId("r"), seq=0, at=FakeClock().now(), body=body)
