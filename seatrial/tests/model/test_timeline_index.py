from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from seatrial.model.timeline import (
    ClusterObject,
    ContainerRecord,
    EventRecord,
    GapRecord,
    LogRecord,
    PodRecord,
    Record,
    RecordingRecord,
    Seen,
)
from seatrial.model.timeline_index import Key, TimelineIndex, key_of

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def pod(at: float, seen: Seen, uid: str = "u1", *, ready: bool = False) -> PodRecord:
    return PodRecord(at=second(at), seen=seen, namespace="shop", name="web-0", uid=uid, ready=ready)


def container(at: float, restarts: int) -> ContainerRecord:
    return ContainerRecord(
        at=second(at), seen="modified", namespace="shop", pod="web-0", uid="u1", container="web", restarts=restarts
    )


GAP = GapRecord(at=second(5), started=second(4), resource="v1/Pod", namespace="shop")
NEVER_WATCHED = GapRecord(at=second(0), started=second(0), resource="v1/Node", ended=False, reason="Forbidden")
RECORDS: list[Record] = [
    RecordingRecord(at=second(0), state="started", schema=1),
    NEVER_WATCHED,
    pod(1, "listed"),
    container(1, 0),
    pod(2, "modified", ready=True),
    container(3, 1),
    GAP,
    pod(6, "deleted", ready=True),
    pod(7, "added", "u2"),
]


@pytest.fixture
def index() -> TimelineIndex:
    return TimelineIndex(reversed(RECORDS))


def test_index_sorts_records_by_time_and_finds_them_by_type(index: TimelineIndex) -> None:
    assert [record.at for record in index] == sorted(record.at for record in RECORDS)
    assert len(index) == len(RECORDS)
    assert index.of(ContainerRecord) == [container(1, 0), container(3, 1)]


def test_between_includes_both_ends(index: TimelineIndex) -> None:
    assert index.between(second(2), second(3)) == [pod(2, "modified", ready=True), container(3, 1)]
    assert index.between(second(3.5), second(4.5)) == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (0.5, None),
        (1, pod(1, "listed")),
        (2.5, pod(2, "modified", ready=True)),
        (9, pod(6, "deleted", ready=True)),
    ],
)
def test_at_returns_the_latest_record_of_an_object(
    index: TimelineIndex, when: float, expected: PodRecord | None
) -> None:
    assert index.at(Key("Pod", "u1"), second(when)) == expected


def test_history_and_keys_separate_pods_of_one_name_and_their_containers(index: TimelineIndex) -> None:
    assert set(index.keys()) == {Key("Pod", "u1"), Key("Container", "u1", "web"), Key("Pod", "u2")}
    assert index.history(Key("Pod", "u2")) == [pod(7, "added", "u2")]
    assert index.history(Key("Pod", "unknown")) == []


def test_state_at_leaves_out_deleted_objects_events_and_logs() -> None:
    regarding = ClusterObject(kind="Pod", name="web-0")
    event = EventRecord(
        at=second(1), seen="added", namespace="shop", name="e", uid="u9", regarding=regarding,
        type="Normal", reason="Killing", message="",
    )  # fmt: skip
    log = LogRecord(
        at=second(1), namespace="shop", pod="web-0", uid="u1", container="web", file="logs/a.log", state="opened"
    )
    index = TimelineIndex([*RECORDS, event, log])

    assert index.state_at(second(2)) == [pod(2, "modified", ready=True), container(1, 0)]
    assert index.state_at(second(7)) == [container(3, 1), pod(7, "added", "u2")]


def test_gaps_are_those_that_overlap_the_interval_and_those_that_never_ended(index: TimelineIndex) -> None:
    assert index.gaps(second(4.5), second(9)) == [NEVER_WATCHED, GAP]
    assert index.gaps(second(6), second(9)) == [NEVER_WATCHED]
    assert index.gaps(second(1), second(3)) == [NEVER_WATCHED]


def test_gap_that_was_recorded_before_its_end_counts_once_and_until_its_end() -> None:
    begun = GapRecord(at=second(5), started=second(4), resource="v1/Pod", ended=False, reason="Forbidden")
    whole = GapRecord(at=second(9), started=second(4), resource="v1/Pod", reason="Forbidden")
    index = TimelineIndex([begun, whole])

    assert index.gaps(second(6), second(7)) == [whole]
    assert index.gaps(second(10), second(11)) == []
    assert TimelineIndex([begun]).gaps(second(10), second(11)) == [begun]


def test_records_about_no_object_have_no_key() -> None:
    assert key_of(GAP) is None
    assert key_of(RECORDS[0]) is None
