from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from seatrial.model.timeline import ContainerRecord, EventRecord, PodRecord, RefusalRecord
from seatrial.ports import Change, Object
from seatrial.watching.object_records import ObjectRecords

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def change(type_: Literal["synced", "added", "modified", "deleted"], *objects: Object) -> Change:
    return Change(type=type_, objects=objects)


def pod(name: str = "web-0", uid: str = "u0", phase: str = "Running", **meta: object) -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": uid, **meta},
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": phase},
    }


def event(at: datetime, uid: str = "e", **more: object) -> Object:
    return {
        "metadata": {"name": uid, "namespace": "shop", "uid": uid},
        "type": "Warning",
        "lastTimestamp": at.isoformat(),
        "involvedObject": {"kind": "ReplicaSet", "name": "web"},
        **more,
    }


def test_first_list_records_all_objects_as_listed() -> None:
    records = ObjectRecords(START).take("v1/Pod", "", change("synced", pod(), pod("web-1", "u1")), START)

    assert [(type(each), getattr(each, "seen", "")) for each in records] == [
        (PodRecord, "listed"),
        (ContainerRecord, "listed"),
    ] * 2


def test_change_of_a_field_that_is_not_recorded_makes_no_record() -> None:
    objects = ObjectRecords(START)
    objects.take("v1/Pod", "", change("added", pod()), START)

    assert objects.take("v1/Pod", "", change("modified", pod(resourceVersion="2")), START + timedelta(seconds=1)) == []


def test_change_of_the_phase_makes_a_record_of_the_pod_and_none_of_its_container() -> None:
    objects = ObjectRecords(START)
    objects.take("v1/Pod", "", change("added", pod(phase="Pending")), START)

    (record,) = objects.take("v1/Pod", "", change("modified", pod()), START + timedelta(seconds=1))

    assert isinstance(record, PodRecord)
    assert (record.seen, record.phase, record.at) == ("modified", "Running", START + timedelta(seconds=1))


def test_deleted_pod_has_a_last_record_with_its_state() -> None:
    objects = ObjectRecords(START)
    objects.take("v1/Pod", "", change("added", pod()), START)

    records = objects.take("v1/Pod", "", change("deleted", pod(phase="Failed")), START)

    assert [each.seen for each in records if isinstance(each, PodRecord | ContainerRecord)] == ["deleted", "deleted"]


def test_list_after_a_gap_records_deletions_additions_and_changes_but_not_what_stayed() -> None:
    objects = ObjectRecords(START)
    objects.take("v1/Pod", "shop", change("synced", pod("a", "a"), pod("b", "b"), pod("c", "c")), START)
    objects.take("v1/Pod", "test-1", change("synced", pod("z", "z")), START)

    records = objects.take(
        "v1/Pod", "shop", change("synced", pod("b", "b"), pod("c", "c", "Failed"), pod("d", "d")), START
    )

    pods = [(each.name, each.seen) for each in records if isinstance(each, PodRecord)]
    assert pods == [("c", "listed"), ("d", "listed"), ("a", "deleted")]


def test_repeated_event_has_a_record_for_each_count_and_its_deletion_has_none() -> None:
    objects = ObjectRecords(START)
    kind = "v1/Event"

    assert len(objects.take(kind, "", change("added", event(START, count=1)), START)) == 1
    assert len(objects.take(kind, "", change("modified", event(START, count=2)), START)) == 1
    assert objects.take(kind, "", change("deleted", event(START, count=2)), START) == []
    objects.take(kind, "", change("added", event(START)), START)
    assert objects.take(kind, "", change("synced"), START) == []


def test_listed_events_of_earlier_runs_are_left_out_and_recent_ones_are_recorded() -> None:
    old, recent = event(START - timedelta(hours=1), "old"), event(START - timedelta(seconds=30), "recent")

    records = ObjectRecords(START).take("v1/Event", "", change("synced", old, recent), START)

    assert [each.name for each in records if isinstance(each, EventRecord)] == ["recent"]


def test_event_of_a_refused_pod_also_makes_a_refusal() -> None:
    refused = event(START, reason="FailedCreate", message="exceeded quota: compute, requested")

    records = ObjectRecords(START).take("v1/Event", "", change("added", refused), START)

    assert [type(each) for each in records] == [EventRecord, RefusalRecord]
