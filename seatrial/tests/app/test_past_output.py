from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from seatrial.app import past_output
from seatrial.app.past_output import PastOutput
from seatrial.model.errors import ExitCode
from seatrial.model.event import Body, Event, StageEnded, StageStarted
from seatrial.model.names import RunId
from seatrial.model.result import Outcome, Stage
from seatrial.model.verdict import Verdict

STARTED = StageStarted(stage=Stage.TEST)
ENDED = StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=1.0, facts={})


def event(body: Body) -> Event:
    return Event(run=RunId("r"), seq=0, at=datetime(2026, 1, 1, tzinfo=UTC), body=body)


class Guard:
    """A sink that only writes its own start and end."""

    def __init__(self, out: io.StringIO) -> None:
        self.out = out

    def __call__(self, _event: Event) -> None:
        self.out.write("<")

    def close(self) -> None:
        self.out.write(">")


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a run with output; `show_output` writes `output`."""

    def show_output(_directory: Path, out: io.StringIO, **_: object) -> str:
        out.write("output")
        return "the log is damaged" if (tmp_path / "damaged").exists() else ""

    monkeypatch.setattr(past_output, "show_output", show_output)
    (tmp_path / "frames").write_bytes(b"0")
    return tmp_path


def shown(run_dir: Path, *bodies: Body, always: bool = False) -> tuple[str, list[str]]:
    """Return what is written for these events, and the warnings."""
    out, warnings = io.StringIO(), list[str]()
    output = PastOutput(run_dir, out, color=False, always=always, guard=Guard(out), warn=warnings.append)
    for body in bodies:
        output(event(body))
    output.close()
    return out.getvalue(), warnings


def verdict(run_dir: Path, code: ExitCode) -> None:
    (run_dir / "verdict.json").write_bytes(msgspec.json.encode(Verdict(exit=code, message="x")))


def test_output_is_written_once_at_the_end_of_the_tests(run_dir: Path) -> None:
    verdict(run_dir, ExitCode.TESTS_FAILED)

    assert shown(run_dir, STARTED, ENDED) == ("<output>", [])


def test_output_of_passed_tests_is_written_only_on_request(run_dir: Path) -> None:
    verdict(run_dir, ExitCode.PASSED)

    assert shown(run_dir, STARTED, ENDED)[0] == ""
    assert shown(run_dir, STARTED, ENDED, always=True)[0] == "<output>"


def test_output_of_unfinished_tests_is_written_on_close(run_dir: Path) -> None:
    assert shown(run_dir, STARTED)[0] == "<output>"
    assert shown(run_dir)[0] == ""


def test_run_without_a_frame_log_has_no_output(run_dir: Path) -> None:
    (run_dir / "frames").unlink()

    assert shown(run_dir, STARTED, ENDED)[0] == ""


def test_incomplete_output_gives_a_warning(run_dir: Path) -> None:
    (run_dir / "damaged").touch()

    assert len(shown(run_dir, STARTED, ENDED)[1]) == 1
    assert "the log is damaged" in shown(run_dir, STARTED, ENDED)[1][0]
