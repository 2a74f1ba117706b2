from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_streams import FakeStreams
from seatrial.doubles import FakeClock
from seatrial.model.redaction import SECRETS
from seatrial.model.timeline import (
    ContainerRecord,
    GapRecord,
    LogRecord,
    PodRecord,
    Record,
    RecordingRecord,
    decode_timeline,
)
from seatrial.ports import Change, Missed, Object
from seatrial.watching.object_records import KINDS
from seatrial.watching.recorder import ClusterRecorder, Scope

ALL = Scope(namespaces=("shop",), whole_cluster=True)
SHARED = Scope(namespaces=("shop", "data"), whole_cluster=False, isolated_for="shop", project="shop-1")


class Recording:
    """A recorder whose watches and logs a test feeds."""

    def __init__(self, directory: Path, scope: Scope) -> None:
        self.streams = FakeStreams()
        self.directory = directory
        self.recorder = ClusterRecorder(self.streams, directory, scope, FakeClock(), is_new=True)
        self.streams.advance(5)

    def change(self, type_: Any, *objects: Object, kind: str = "v1/Pod", namespace: str = "") -> None:
        self.streams.watches[kind, namespace](Change(type=type_, objects=objects))

    def records(self) -> list[Record]:
        return decode_timeline((self.directory / "timeline.jsonl").read_bytes())


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path, ALL)


@pytest.fixture
def shared(tmp_path: Path) -> Recording:
    return Recording(tmp_path, SHARED)


def pod(name: str = "web-0", namespace: str = "shop", message: str = "") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": name},
        "spec": {"containers": [{"name": "web"}]},
        "status": {
            "phase": "Running",
            "message": message,
            "containerStatuses": [{"name": "web", "containerID": f"c-{name}", "state": {"running": {}}}],
        },
    }


def test_own_cluster_is_watched_as_a_whole(recording: Recording) -> None:
    assert set(recording.streams.watches) == {(kind, "") for kind in KINDS}
    (started,) = recording.records()
    assert isinstance(started, RecordingRecord)
    assert (started.state, started.schema, started.namespaces) == ("started", 1, ())


def test_pods_are_watched_first_and_the_others_one_after_another(tmp_path: Path) -> None:
    streams = FakeStreams()
    ClusterRecorder(streams, tmp_path, ALL, FakeClock(), is_new=True)

    assert list(streams.watches) == [("v1/Pod", "")]
    streams.advance(0.1)
    assert 1 < len(streams.watches) < len(KINDS)


def test_records_are_in_the_file_as_soon_as_they_are_made(recording: Recording) -> None:
    recording.change("synced")
    recording.change("added", pod())

    assert [type(each) for each in recording.records()] == [RecordingRecord, PodRecord, ContainerRecord]


def test_logs_of_the_environment_and_of_test_namespaces_are_followed_and_those_of_the_system_are_not(
    recording: Recording,
) -> None:
    for namespace in ("shop", "test-refund-1a2b3", "kube-system"):
        recording.change("added", pod(f"{namespace}-0", namespace))

    assert [log.request.namespace for log in recording.streams.logs] == ["shop", "test-refund-1a2b3"]


def test_deleted_pod_leaves_its_deletion_and_its_whole_log(recording: Recording) -> None:
    recording.change("synced", pod())
    (log,) = recording.streams.logs
    log.data(b"1Z one\n")
    recording.change("deleted", pod())
    log.data(b"2Z two\n")
    log.ended(200, "")
    assert recording.recorder.stop() is None

    records = recording.records()
    assert [each.seen for each in records if isinstance(each, PodRecord)] == ["listed", "deleted"]
    (ended,) = [each for each in records if isinstance(each, LogRecord) and each.state == "ended"]
    assert (recording.directory / ended.file).read_bytes() == b"1Z one\n2Z two\n"
    assert isinstance(records[-1], RecordingRecord)
    assert records[-1].state == "ended"
    assert recording.recorder.is_complete


def test_interrupted_watch_is_a_gap_and_the_recording_is_incomplete(recording: Recording) -> None:
    since = datetime(2026, 1, 31, 12, tzinfo=UTC) - timedelta(seconds=7)
    recording.change("synced")
    recording.streams.watches["v1/Pod", ""](Missed(since=since, reason="connection closed"))
    recording.recorder.stop()

    (gap,) = [each for each in recording.records() if isinstance(each, GapRecord)]
    assert (gap.started, gap.resource, gap.reason, gap.ended) == (since, "v1/Pod", "connection closed", True)
    assert not recording.recorder.is_complete


def test_recording_without_a_list_of_pods_is_incomplete(recording: Recording) -> None:
    recording.recorder.stop()

    assert not recording.recorder.is_complete


def test_error_of_the_recorder_is_returned_by_stop_and_the_recording_is_incomplete(recording: Recording) -> None:
    recording.change("synced")
    recording.streams.error = OSError("disk full")

    assert recording.recorder.stop() is recording.streams.error
    assert recording.recorder.stop() is recording.streams.error
    assert not recording.recorder.is_complete


def test_lines_and_secrets_of_logs_are_handled_although_an_error_ended_the_recording(
    recording: Recording, secret: str
) -> None:
    SECRETS.forget()
    recording.change("synced", pod())
    (log,) = recording.streams.logs
    log.data(f"1Z {secret}\n".encode())
    recording.streams.advance(1)
    log.data(b"2Z last words\n")
    SECRETS.learn([secret])
    recording.streams.is_running = False
    recording.streams.error = ZeroDivisionError()

    def call_nothing(function: Any, *, after: float = 0.0) -> None:
        del function, after

    recording.streams.call = call_nothing
    assert recording.recorder.stop() is recording.streams.error
    file = recording.directory / "logs/pods/shop/web-0/web.0.log"
    assert file.read_bytes() == b"1Z ***\n2Z last words\n"


def test_record_of_a_new_log_file_is_written_at_once(recording: Recording) -> None:
    recording.change("synced", pod())
    recording.streams.logs[0].data(b"1Z one\n")
    recording.streams.advance(1)

    assert isinstance(recording.records()[-1], LogRecord)


def test_stop_waits_for_lines_that_come_in_after_a_failure(tmp_path: Path) -> None:
    recording = Recording(tmp_path, ALL)
    recording.change("synced", pod())
    (log,) = recording.streams.logs
    ran: list[float] = []
    call = recording.streams.call

    def call_later(function: Any, *, after: float = 0.0) -> None:
        if after and len(ran) < 2:
            ran.append(after)
            log.data(f"{len(ran)}Z line\n".encode())
        call(function)

    recording.streams.call = call_later
    recording.recorder.stop(drain=5.0)

    assert (tmp_path / "logs/pods/shop/web-0/web.0.log").read_bytes() == b"1Z line\n2Z line\n"


def test_stop_reads_the_rest_of_logs_that_are_not_followed(tmp_path: Path) -> None:
    streams = FakeStreams()
    recorder = ClusterRecorder(streams, tmp_path, ALL, FakeClock(), is_new=True, followed_logs=0)
    streams.advance(5)
    streams.watches["v1/Pod", ""](Change(type="synced", objects=(pod(),)))
    streams.logs[-1].ended(200, "")
    answers = [streams]
    call = streams.call

    def call_at_once(function: Any, *, after: float = 0.0) -> None:
        if after and answers:
            answers.pop()
            streams.logs[-1].data(b"1Z last words\n")
            streams.logs[-1].ended(200, "")
        if after < 1:
            call(function)

    streams.call = call_at_once
    recorder.stop()

    assert [log.request.follow for log in streams.logs] == [False, False]
    assert (tmp_path / "logs/pods/shop/web-0/web.0.log").read_bytes() == b"1Z last words\n"
    assert recorder.is_complete


@pytest.fixture
def secret() -> Iterator[str]:
    SECRETS.learn(["correct-horse"])
    yield "correct-horse"
    SECRETS.forget()


def test_secrets_and_control_characters_in_records_are_replaced(recording: Recording, secret: str) -> None:
    recording.change("added", pod(message=f"\x1b[2J cannot log in with {secret}"))

    (record,) = [each for each in recording.records() if isinstance(each, PodRecord)]
    assert record.message == "\\x1b[2J cannot log in with ***"


class TestSharedCluster:
    def test_only_namespaces_of_the_environment_and_nodes_are_watched(self, shared: Recording) -> None:
        namespaces = {namespace for kind, namespace in shared.streams.watches if kind in KINDS}

        assert namespaces == {"shop", "data", ""}
        assert {kind for kind, namespace in shared.streams.watches if not namespace} == {"v1/Node", "v1/Namespace"}
        (started,) = shared.records()
        assert isinstance(started, RecordingRecord)
        assert (started.namespaces, started.isolated_for) == (("shop", "data"), "shop")

    def test_namespaces_of_tests_are_watched_from_their_creation_to_their_deletion(self, shared: Recording) -> None:
        assert shared.streams.labels["v1/Namespace", ""] == "seatrial.dev/project=shop-1,seatrial.dev/isolated-for=shop"
        namespace = {"metadata": {"name": "test-refund-1a2b3"}}
        shared.change("synced", kind="v1/Namespace")
        shared.change("added", namespace, kind="v1/Namespace")
        shared.change("modified", namespace, kind="v1/Namespace")
        shared.change("added", pod(namespace="test-refund-1a2b3"), namespace="test-refund-1a2b3")

        assert len(shared.streams.logs) == 1
        shared.change("deleted", namespace, kind="v1/Namespace")
        assert not any(namespace == "test-refund-1a2b3" for _, namespace in shared.streams.watches)

    def test_namespaces_that_may_not_be_listed_are_a_gap(self, shared: Recording) -> None:
        since = datetime(2026, 1, 31, 12, tzinfo=UTC)
        shared.streams.watches["v1/Namespace", ""](Missed(since=since, reason="forbidden", ended=False))

        (gap,) = [each for each in shared.records() if isinstance(each, GapRecord)]
        assert (gap.resource, gap.ended) == ("v1/Namespace", False)

    def test_tests_without_rights_have_no_namespaces_to_watch(self, tmp_path: Path) -> None:
        recording = Recording(tmp_path, Scope(namespaces=("shop",), whole_cluster=False))

        assert ("v1/Namespace", "") not in recording.streams.watches
