from __future__ import annotations

from diagnose.timeline_values import at, failed
from seatrial.model.finding import ObjectRef
from seatrial.model.timeline import LogRecord
from seatrial.model.timeline_index import TimelineIndex
from seatrial.watching.recorded_logs import last_lines, reported_lines


def log(file="web.log"):
    return LogRecord(
        at=at(0), namespace="shop", pod="web-1", uid="web-1", container="c", file=file, state="opened"
    )  # fmt: skip


def test_lines_are_read_that_report_problems_while_a_failed_test_ran(tmp_path):
    (tmp_path / "web.log").write_bytes(
        b"2026-01-01T11:59:00.5Z No space left on device\n"
        b"2026-01-01T12:00:10.123456789Z ERROR: No space left on device\x1b\n"
        b"2026-01-01T12:00:10Z GET / 200\n"
        b"no time: No space left on device\n"
        b"2026-01-01T12:00:13Z No space left on device"
    )
    index = TimelineIndex([log(), log(), log("gone.log")])

    (line,) = reported_lines(index, tmp_path, [failed(begin=9, end=12)])

    assert (line.pod, line.text) == ("web-1", "ERROR: No space left on device\\x1b")
    assert line.at == at(10.123456)
    assert list(reported_lines(index, tmp_path, [])) == []


def test_last_lines_of_a_container_before_its_end(tmp_path):
    (tmp_path / "web.log").write_bytes(
        b"".join(b"2026-01-01T12:00:%02dZ line %d\n" % (second, second) for second in range(20))
    )
    subject = ObjectRef(kind="Pod", name="web-1", namespace="shop", container="c")
    index = TimelineIndex([log(), log("gone.log")])

    assert last_lines(index, tmp_path, subject, at(15))[::7] == ("line 8", "line 15")
    assert last_lines(index, tmp_path, ObjectRef(kind="Pod", name="other"), at(15)) == ()
