"""Find records of a timeline by time and by object. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

from seatrial.model.timeline import (
    ContainerRecord,
    EndpointsRecord,
    EventRecord,
    GapRecord,
    JobRecord,
    LogRecord,
    NodeRecord,
    PodRecord,
    PolicyRecord,
    Record,
    RecordingRecord,
    RefusalRecord,
    WorkloadRecord,
)

__all__ = ["Key", "TimelineIndex", "key_of"]

_Kind = TypeVar(
    "_Kind",
    RecordingRecord,
    PodRecord,
    ContainerRecord,
    WorkloadRecord,
    JobRecord,
    EventRecord,
    NodeRecord,
    EndpointsRecord,
    PolicyRecord,
    RefusalRecord,
    LogRecord,
    GapRecord,
)


class Key(NamedTuple):
    """Identifies an object over its records.

    Attributes:
        kind: `Pod`, `Container`, `Deployment`, `Job`, `Node`, `EndpointSlice`, `NetworkPolicy`, `Event`, `Log`.
        uid: of a container and of a log, the uid of the pod.
        part: name of the container; of a log, the name of the container and its restarts.
    """

    kind: str
    uid: str
    part: str = ""


def key_of(record: Record) -> Key | None:
    """Return the object of a record; None for refusals, gaps and the start and end of recording."""
    match record:
        case PodRecord():
            return Key("Pod", record.uid)
        case ContainerRecord():
            return Key("Container", record.uid, record.container)
        case WorkloadRecord():
            return Key(record.kind, record.uid)
        case JobRecord():
            return Key("Job", record.uid)
        case NodeRecord():
            return Key("Node", record.uid)
        case EndpointsRecord():
            return Key("EndpointSlice", record.uid)
        case PolicyRecord():
            return Key("NetworkPolicy", record.uid)
        case EventRecord():
            return Key("Event", record.uid)
        case LogRecord():
            return Key("Log", record.uid, f"{record.container}.{record.restarts}")
        case _:
            return None


class TimelineIndex:
    """The records of one run, in the order of their time.

    Args:
        records: in any order. Records of the same time keep their order.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = sorted(records, key=lambda record: record.at)
        self._times = [record.at for record in self._records]
        self._of: dict[Key, list[Record]] = {}
        for record in self._records:
            if (key := key_of(record)) is not None:
                self._of.setdefault(key, []).append(record)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Return all records of a type."""
        return [record for record in self._records if isinstance(record, kind)]

    def between(self, start: datetime, end: datetime) -> list[Record]:
        """Return the records from `start` to `end`, both included."""
        return self._records[bisect_left(self._times, start) : bisect_right(self._times, end)]

    def keys(self) -> list[Key]:
        """Return all objects, in the order of their first records."""
        return list(self._of)

    def history(self, key: Key) -> list[Record]:
        """Return all records of an object."""
        return list(self._of.get(key, ()))

    def at(self, key: Key, when: datetime) -> Record | None:
        """Return the state of an object at a time: its latest record then. None before its first record.

        The last record of a deleted object has `seen` = `deleted`.
        """
        records = self._of.get(key, [])
        position = bisect_right(records, when, key=lambda record: record.at)
        return records[position - 1] if position else None

    def state_at(self, when: datetime) -> list[Record]:
        """Return the state of all objects that existed at a time. Events, logs and gaps are left out."""
        states = (self.at(key, when) for key in self._of if key.kind not in ("Event", "Log"))
        return [state for state in states if state is not None and getattr(state, "seen", "") != "deleted"]

    def gaps(self, start: datetime, end: datetime) -> list[GapRecord]:
        """Return the gaps that overlap an interval: what happened then may not be recorded."""
        gaps = self.of(GapRecord)
        ended = {(gap.resource, gap.namespace, gap.name, gap.started) for gap in gaps if gap.ended}
        return [
            gap
            for gap in gaps
            if gap.started <= end
            and (gap.at >= start if gap.ended else (gap.resource, gap.namespace, gap.name, gap.started) not in ended)
        ]
