from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from seatrial.model.errors import ExitCode
from seatrial.runner.renderer.feed import Feed, Output, SessionRecord, StreamEnd

from runner.frames import log

END = {"end": {"exit": 0, "message": "2 passed", "proven": True}}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory with an empty frame log and an empty output log."""
    (tmp_path / "frames").touch()
    (tmp_path / "output").touch()
    return tmp_path


def feed(logs: Path, *control: dict[str, Any]) -> Feed:
    lines = "".join(json.dumps(line) + "\n" for line in control)
    return Feed(logs / "frames", logs / "output", io.StringIO(lines))


def seen(feed: Feed) -> list[Any]:
    """Return records, output and the exit code of the end, in order."""
    found: list[Any] = []
    for event in feed:
        match event:
            case SessionRecord():
                found.append(event.record)
            case Output():
                found.append(event.data)
            case StreamEnd():
                found.append(event.verdict.exit)
    return found


def test_records_and_the_verdict_are_yielded_in_order(logs: Path) -> None:
    (logs / "frames").write_bytes(b"".join(log([["verbose", 1], ["verbose", 2]], [["verbose", 3]])))

    assert seen(feed(logs, END)) == [["verbose", 1], ["verbose", 2], ["verbose", 3], ExitCode.PASSED]


def test_only_what_a_tick_announced_is_read(logs: Path) -> None:
    """The rest may still be rewritten: it is not verified yet."""
    first, second = log([["verbose", 1]], [["verbose", 2]])
    (logs / "frames").write_bytes(first + second)
    events = iter(feed(logs, {"frames": len(first), "output": 0}, {"frames": len(first + second), "output": 0}))

    record = next(events)

    assert isinstance(record, SessionRecord)
    assert record.record == ["verbose", 1]
    assert (record.place.offset, record.place.size, record.place.index) == (0, len(first), 0)


def test_output_comes_before_the_frame_that_refers_to_its_size(logs: Path) -> None:
    (logs / "frames").write_bytes(b"".join(log([["verbose", 1]], [["o", 6], ["verbose", 2]])))
    (logs / "output").write_bytes(b"early\nlate\n")

    assert seen(feed(logs, END)) == [["verbose", 1], b"early\n", ["o", 6], ["verbose", 2], b"late\n", ExitCode.PASSED]


def test_frame_waits_until_the_output_before_it_arrived(logs: Path) -> None:
    lines = b"".join(log([["o", 6]]))
    (logs / "frames").write_bytes(lines)
    (logs / "output").write_bytes(b"early\n")
    waiting = {"frames": len(lines), "output": 3}
    arrived = {"frames": len(lines), "output": 6}

    assert seen(feed(logs, waiting, arrived, END)) == [b"early\n", ["o", 6], ExitCode.PASSED]


def test_output_is_safe_to_print(logs: Path) -> None:
    (logs / "output").write_bytes(b"\x1b]52;c;aGk=\x07::error::x\n")

    output = seen(feed(logs, END))[0]

    assert b"\x1b" not in output
    assert not output.startswith(b"::error")


def test_control_sequence_that_arrives_in_two_pieces_is_escaped(logs: Path) -> None:
    (logs / "output").write_bytes(b"a\x1b]52;c;aGk=\x07b")

    found = seen(feed(logs, {"frames": 0, "output": 2}, {"frames": 0, "output": 12}, END))

    assert b"\x1b" not in b"".join(each for each in found if isinstance(each, bytes))


def test_end_of_the_control_lines_means_that_the_run_was_abandoned(logs: Path) -> None:
    *_, last = feed(logs, {"frames": 0, "output": 0})

    assert isinstance(last, StreamEnd)
    assert last.verdict.exit is ExitCode.INCONCLUSIVE
    assert last.verdict.message == "the run was abandoned"


def test_missing_logs_are_empty(tmp_path: Path) -> None:
    assert seen(feed(tmp_path, {"frames": 0, "output": 0}, END)) == [ExitCode.PASSED]


def test_unknown_control_lines_are_ignored(logs: Path) -> None:
    assert seen(feed(logs, {"continue": True}, END)) == [ExitCode.PASSED]


def test_wait_consumes_one_control_line(logs: Path) -> None:
    waited = feed(logs, {"frames": 0, "output": 0}, END)
    waited.wait()

    assert seen(waited) == [ExitCode.PASSED]


def test_record_can_be_read_again_from_its_place(logs: Path) -> None:
    (logs / "frames").write_bytes(b"".join(log([["verbose", 1]], [["verbose", 2], ["blob", 1, "text"]])))
    read = feed(logs, END)
    places = [event.place for event in read if isinstance(event, SessionRecord)]

    assert [read.record(place) for place in reversed(places)] == [["blob", 1, "text"], ["verbose", 2], ["verbose", 1]]


def test_only_valid_frames_are_counted(logs: Path) -> None:
    first, second, third = log([["verbose", 1]], [["verbose", 2]], [["verbose", 3]])
    (logs / "frames").write_bytes(first + second.replace(b"2]]", b"7]]") + third)
    read = feed(logs, END)

    assert seen(read) == [["verbose", 1], ExitCode.PASSED]
    assert read.frames == 1
