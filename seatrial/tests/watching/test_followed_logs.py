from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from fake_streams import FakeLog, FakeStreams
from seatrial.model.timeline import ContainerRecord, GapRecord, LogRecord, Record
from seatrial.model.timeline_parts import Termination
from seatrial.watching.followed_logs import FollowedLogs
from seatrial.watching.log_files import Limits, LogFiles

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = START + timedelta(seconds=5)
BEFORE = START - timedelta(hours=1)


class Recording:
    """Followed logs whose streams a test feeds."""

    def __init__(self, directory: Path, *, is_new: bool = True, most: int = 64, limit: int = 1 << 20) -> None:
        self.directory = directory
        self.streams = FakeStreams()
        self.records: list[Record] = []
        self.now = LATER
        self.logs = FollowedLogs(
            self.streams,
            LogFiles(directory, Limits(container=limit, run=limit)),
            self.records.append,
            lambda: self.now,
            started=START,
            is_new=is_new,
            most=most,
        )

    def see(
        self, state: Literal["waiting", "running", "terminated"] = "running", name: str = "web", **more: Any
    ) -> None:
        given = {"started": LATER, "container_id": f"{name}-{more.get('restarts', 0)}", "seen": "modified", **more}
        self.logs.see(
            ContainerRecord(
                at=LATER,
                namespace="shop",
                pod="web-0",
                uid="u1",
                container=name,
                state=state,
                **given,
            )
        )

    def reading(self) -> bool:
        return self.logs.is_reading

    @property
    def last(self) -> FakeLog:
        return self.streams.logs[-1]

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.rglob("*.log")}

    def states(self) -> list[tuple[str, str, int]]:
        return [(Path(each.file).name, each.state, each.bytes) for each in self.records if isinstance(each, LogRecord)]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def test_log_is_followed_from_the_start_of_the_container_to_its_end(recording: Recording) -> None:
    recording.see("waiting", container_id="")
    assert recording.streams.logs == []
    recording.see()
    recording.see(ready=True)

    (log,) = recording.streams.logs
    assert (log.request.container, log.request.since, log.request.follow) == ("web", "", True)
    log.data(b"1Z one\n2Z tw")
    recording.streams.advance(1)
    assert recording.files() == {"web.0.log": b"1Z one\n"}
    log.data(b"o\n")
    recording.see("terminated", finished=LATER)
    log.ended(200, "")

    assert recording.files() == {"web.0.log": b"1Z one\n2Z two\n"}
    assert recording.states() == [("web.0.log", "opened", 0), ("web.0.log", "ended", 14)]
    assert recording.logs.count == 1
    assert recording.logs.covers("u1", "web", 0, whole=True)


def test_lines_are_in_the_file_within_a_second(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"1Z one\n")
    recording.streams.advance(0.9)

    assert recording.files() == {"web.0.log": b"1Z one\n"}


def test_large_piece_is_written_at_once(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"1Z " + b"x" * 300_000 + b"\n")

    assert len(recording.files()["web.0.log"]) == 300_004


def test_pod_that_is_deleted_has_the_whole_log(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"1Z one\n")
    recording.see(seen="deleted")
    recording.last.data(b"2Z last words")
    recording.last.ended(200, "")

    assert recording.files() == {"web.0.log": b"1Z one\n2Z last words"}
    assert recording.states()[-1] == ("web.0.log", "ended", 20)


def test_log_that_ends_before_its_pod_is_deleted_is_complete(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"1Z one\n")
    recording.last.ended(200, "")
    recording.see(seen="deleted")
    recording.streams.advance(5)

    assert len(recording.streams.logs) == 1
    assert recording.states()[-1] == ("web.0.log", "ended", 7)


def test_restarted_container_has_a_file_for_each_run(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"1Z one\n")
    recording.see(restarts=1, last=Termination(exit_code=1, container_id="web-0", finished=LATER))
    recording.streams.logs[0].ended(200, "")
    recording.last.data(b"2Z two\n")
    recording.streams.advance(1)

    assert len(recording.streams.logs) == 2
    assert recording.files() == {"web.0.log": b"1Z one\n", "web.1.log": b"2Z two\n"}


def test_run_that_was_not_seen_is_read_as_the_previous_one(recording: Recording) -> None:
    ended = Termination(exit_code=1, container_id="web-3", started=LATER, finished=LATER)
    recording.see(restarts=4, last=ended)

    assert [(log.request.previous, log.request.follow) for log in recording.streams.logs] == [
        (True, True),
        (False, True),
    ]


def test_crashed_container_that_waits_is_read_once(recording: Recording) -> None:
    ended = Termination(exit_code=1, container_id="web-4", started=LATER, finished=LATER)
    recording.see("waiting", restarts=4, last=ended)
    recording.see("waiting", restarts=4, last=ended)

    assert [log.request.previous for log in recording.streams.logs] == [False]


def test_lost_connection_is_resumed_without_losing_or_repeating_lines(recording: Recording) -> None:
    recording.see()
    recording.last.data(b"2026-01-31T12:00:01.1Z one\n2026-01-31T12:00:01.2Z two\n2026-01-31T12:00:01.3Z thr")
    recording.last.ended(0, "connection closed")
    recording.streams.advance(1)

    assert recording.last.request.since == "2026-01-31T12:00:01.2Z"
    for piece in (
        b"2026-01-31T12:00:01.1Z one\n2026-01-31T12:0",
        b"0:01.2Z two\n2026-01-31T12:00:01.3Z three\n",
        b"2026-01-31T12:00:01.4Z four\n",
    ):
        recording.last.data(piece)
    recording.streams.advance(1)

    texts = [line.partition(b" ")[2] for line in recording.files()["web.0.log"].splitlines()]
    assert texts == [b"one", b"two", b"three", b"four"]


def test_log_is_lost_if_the_pod_no_longer_exists(recording: Recording) -> None:
    recording.see()
    recording.last.ended(404, "pods web-0 not found")

    assert recording.states() == [("web.0.log", "lost", 0)]
    assert recording.logs.has_lost
    assert not recording.logs.covers("u1", "web", 0, whole=False)


def test_log_is_given_up_after_many_attempts(recording: Recording) -> None:
    recording.see()
    for _ in range(21):
        recording.last.ended(400, "container is waiting to start")
        recording.streams.advance(5)

    assert recording.states() == [("web.0.log", "lost", 0)]
    assert len(recording.streams.logs) == 21


def test_log_that_was_given_up_is_read_again_once_its_container_is_seen_to_run(recording: Recording) -> None:
    recording.see()
    recording.last.ended(404, "not found")
    recording.see(ready=True)
    recording.last.data(b"1Z one\n")
    recording.streams.advance(1)

    assert len(recording.streams.logs) == 2
    assert recording.files() == {"web.0.log": b"1Z one\n"}
    assert not recording.logs.has_lost


def test_silent_log_whose_connection_is_closed_every_minute_is_not_given_up(recording: Recording) -> None:
    recording.see()
    for _ in range(30):
        recording.now += timedelta(minutes=1)
        recording.last.ended(0, "connection closed")
        recording.streams.advance(1)

    assert len(recording.streams.logs) == 31
    assert recording.states() == []


def test_forbidden_logs_are_one_gap_for_each_namespace(recording: Recording) -> None:
    recording.see()
    recording.see(name="db")
    for log in tuple(recording.streams.logs):
        log.ended(403, "pods/log is forbidden")

    gaps = [each for each in recording.records if isinstance(each, GapRecord)]
    assert [(gap.resource, gap.namespace, gap.ended) for gap in gaps] == [("log", "shop", False)]
    assert recording.logs.has_lost
    assert recording.logs.sizes() == {}


def test_logs_that_a_starting_server_refuses_are_tried_again(recording: Recording) -> None:
    recording.see()
    recording.last.ended(403, "pods/log is forbidden")
    recording.streams.advance(1)
    recording.last.data(b"1Z one\n")
    recording.streams.advance(1)

    assert recording.files() == {"web.0.log": b"1Z one\n"}
    assert recording.logs.covers("u1", "web", 0, whole=True)


def test_log_beyond_its_limit_is_cut_and_its_stream_is_closed(tmp_path: Path) -> None:
    recording = Recording(tmp_path, limit=1000)
    recording.see()
    recording.last.data(b"1Z " + b"x" * 600 + b"\n")
    recording.last.data(b"2Z " + b"x" * 600 + b"\n")
    recording.streams.advance(1)

    assert recording.last.closed
    assert [state for _, state, _ in recording.states()] == ["opened", "cut"]
    assert b"seatrial cut the log here" in recording.files()["web.0.log"]
    assert recording.logs.covers("u1", "web", 0, whole=True)
    assert recording.logs.is_cut("u1", "web", 0)
    assert not recording.logs.is_cut("u1", "web", 1)


class TestKeptEnvironment:
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        return Recording(tmp_path, is_new=False)

    def test_log_of_a_container_that_ran_before_begins_with_the_recording(self, recording: Recording) -> None:
        recording.see(started=BEFORE)

        assert recording.last.request.since == "2026-01-31T12:00:00Z"
        assert recording.logs.covers("u1", "web", 0, whole=False)
        assert not recording.logs.covers("u1", "web", 0, whole=True)

    def test_container_that_ended_before_the_recording_is_not_read(self, recording: Recording) -> None:
        recording.see("terminated", started=BEFORE, finished=BEFORE)

        assert recording.streams.logs == []
        assert not recording.logs.covers("u1", "web", 0, whole=False)

    def test_container_that_starts_later_is_read_from_its_start(self, recording: Recording) -> None:
        recording.see()

        assert recording.last.request.since == ""


class TestManyContainers:
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        recording = Recording(tmp_path, most=1)
        recording.see()
        recording.see(name="db")
        return recording

    def test_logs_beyond_the_limit_are_read_from_time_to_time(self, recording: Recording) -> None:
        assert [log.request.follow for log in recording.streams.logs] == [True, False]
        recording.last.data(b"1Z one\n")
        recording.last.ended(200, "")
        recording.streams.advance(1.1)

        assert len(recording.streams.logs) == 3
        assert (recording.last.request.container, recording.last.request.since) == ("db", "1Z")

    def test_silent_containers_are_read_less_often(self, recording: Recording) -> None:
        for _ in range(3):
            recording.last.ended(200, "")
            recording.streams.advance(2)

        assert len(recording.streams.logs) == 4

    def test_log_is_followed_to_its_end_once_its_container_terminates(self, recording: Recording) -> None:
        recording.last.ended(200, "")
        recording.see("terminated", name="db", finished=LATER)

        assert recording.last.request.follow
        recording.last.data(b"1Z one\n")
        recording.last.ended(200, "")
        assert recording.states()[-1] == ("db.0.log", "ended", 7)

    def test_log_that_is_being_read_is_read_again_once_its_container_terminates(self, recording: Recording) -> None:
        reading = recording.last
        recording.see("terminated", name="db", finished=LATER)

        assert reading.closed
        assert recording.last.request.follow
        recording.streams.advance(10)
        assert len(recording.streams.logs) == 3

    def test_rest_is_read_at_the_end(self, recording: Recording) -> None:
        recording.last.ended(200, "")
        assert not recording.reading()
        recording.logs.read_rest()

        assert recording.reading()
        assert (recording.last.request.container, recording.last.request.follow) == ("db", False)
        recording.last.data(b"1Z one\n")
        recording.last.ended(200, "")
        assert not recording.reading()
        recording.logs.end()
        assert recording.files() == {"db.0.log": b"1Z one\n"}
        assert recording.logs.covers("u1", "db", 0, whole=True)

    def test_log_whose_rest_could_not_be_read_in_time_is_missing(self, recording: Recording) -> None:
        recording.logs.end()

        assert recording.logs.has_lost
        assert recording.logs.covers("u1", "web", 0, whole=True)
        assert not recording.logs.covers("u1", "db", 0, whole=True)

    def test_next_container_is_followed_once_another_one_ended(self, recording: Recording) -> None:
        recording.see("terminated", finished=LATER)
        recording.streams.logs[0].ended(200, "")
        recording.see(name="cache")

        assert recording.last.request.follow


def test_end_writes_incomplete_lines_and_the_size_of_open_files(recording: Recording) -> None:
    recording.see()
    recording.see(name="silent")
    recording.streams.logs[0].data(b"1Z one\n2Z tw")
    recording.logs.end()

    assert recording.files() == {"web.0.log": b"1Z one\n2Z tw"}
    assert recording.states()[-1] == ("web.0.log", "opened", 12)
    assert all(log.closed for log in recording.streams.logs)
