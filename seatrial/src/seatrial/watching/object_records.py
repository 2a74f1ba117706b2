"""Turn changes of Kubernetes objects into records: one for each object whose recorded fields changed. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from seatrial.model.timeline import (
    ContainerRecord,
    EndpointsRecord,
    EventRecord,
    JobRecord,
    NodeRecord,
    PodRecord,
    PolicyRecord,
    Record,
    Seen,
    WorkloadRecord,
)
from seatrial.model.timeline_index import Key, key_of
from seatrial.ports import Change, Object
from seatrial.watching import cluster_records, pod_records, workload_records

__all__ = ["KINDS", "ObjectRecords"]

_State = (
    PodRecord | ContainerRecord | WorkloadRecord | JobRecord | EventRecord | NodeRecord | EndpointsRecord | PolicyRecord
)


def _pod(obj: Object, seen: Seen, at: datetime) -> Iterator[_State]:
    yield pod_records.pod_record(obj, seen, at)
    yield from pod_records.container_records(obj, seen, at)


def _one(function: Callable[[Object, Seen, datetime], _State]) -> Callable[[Object, Seen, datetime], Iterable[_State]]:
    return lambda obj, seen, at: (function(obj, seen, at),)


_workload = _one(workload_records.workload_record)

KINDS: Final[Mapping[str, Callable[[Object, Seen, datetime], Iterable[_State]]]] = {
    "v1/Pod": _pod,
    "v1/Event": _one(cluster_records.event_record),
    "apps/v1/Deployment": _workload,
    "apps/v1/StatefulSet": _workload,
    "apps/v1/DaemonSet": _workload,
    "apps/v1/ReplicaSet": _workload,
    "batch/v1/Job": _one(workload_records.job_record),
    "discovery.k8s.io/v1/EndpointSlice": _one(cluster_records.endpoints_record),
    "networking.k8s.io/v1/NetworkPolicy": _one(cluster_records.policy_record),
    "v1/Node": _one(cluster_records.node_record),
}
"""Recorded kinds, with what turns an object into records."""

_LEAD: Final = timedelta(seconds=60)
"""Events that ended earlier before the start of the recording are left out: they belong to earlier runs."""


class ObjectRecords:
    """The latest record of each object, by which the next ones are made.

    Args:
        started: start of the recording.
    """

    def __init__(self, started: datetime) -> None:
        self._started = started
        self._latest: dict[tuple[str, str], dict[Key, _State]] = {}

    def take(self, kind: str, namespace: str, change: Change, at: datetime) -> list[Record]:
        """Return the records of a change of one kind in one watched namespace.

        After a gap, the first change lists what exists. Objects that are missing in it were deleted meanwhile.
        """
        latest = self._latest.setdefault((kind, namespace), {})
        seen: Seen = "listed" if change.type == "synced" else change.type
        made: list[Record] = []
        found: set[Key] = set()
        for obj in change.objects:
            for record in KINDS[kind](obj, seen, at):
                key = key_of(record)
                assert key is not None  # noqa: S101 - for the type checker
                found.add(key)
                if record.seen == "deleted":
                    latest.pop(key, None)
                    # Events expire: their deletion tells nothing.
                    if not isinstance(record, EventRecord):
                        made.append(record)
                elif not _same(latest.get(key), record):
                    latest[key] = record
                    made += self._of_news(record)
        if change.type == "synced":
            for key in [key for key in latest if key not in found]:
                missing = latest.pop(key)
                if not isinstance(missing, EventRecord):
                    made.append(replace(missing, at=at, seen="deleted"))
        return made

    def _of_news(self, record: _State) -> Iterator[Record]:
        if not isinstance(record, EventRecord):
            yield record
        elif record.seen != "listed" or record.last is None or record.last >= self._started - _LEAD:
            yield record
            if refusal := cluster_records.refusal_record(record):
                yield refusal


def _same(before: _State | None, now: _State) -> bool:
    """Whether two records of an object differ only in when and how they were seen."""
    return before is not None and replace(before, at=now.at, seen=now.seen) == now
