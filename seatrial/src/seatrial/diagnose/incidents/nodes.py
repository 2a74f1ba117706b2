"""Find nodes that were not ready, lacked a resource, or stopped to renew their lease. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import NodeRecord
from seatrial.model.timeline_index import Key, TimelineIndex

__all__ = ["node_incidents"]

_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def node_incidents(index: TimelineIndex) -> list[Incident]:
    """Return the times in which a condition of a node was unhealthy."""
    found: list[Incident] = []
    for key in index.keys():  # noqa: SIM118 - not a dict
        if key.kind == "Node":
            records = [each for each in index.history(Key(*key)) if isinstance(each, NodeRecord)]
            for condition in ("Ready", *_PRESSURES):
                found += _unhealthy(records, condition)
    return found


def _unhealthy(records: Sequence[NodeRecord], kind: str) -> Iterator[Incident]:
    since: NodeRecord | None = None
    for record in records:
        entry = next((each for each in record.conditions if each.type == kind), None)
        bad = entry is not None and entry.status != ("True" if kind == "Ready" else "False")
        if bad and since is None:
            since = record
        elif since is not None and not bad:
            yield _incident(since, kind, record)
            since = None
    if since is not None:
        yield _incident(since, kind, None)


def _incident(since: NodeRecord, kind: str, healthy: NodeRecord | None) -> Incident:
    entry = next(each for each in since.conditions if each.type == kind)
    finding = Finding(
        cause="NodeNotReady" if kind == "Ready" else kind,
        subject=ObjectRef(kind="Node", name=since.name),
        message=f"condition {kind} is {entry.status}: {entry.message}",
        evidence=tuple(filter(None, (entry.message,))),
        brief="not ready" if kind == "Ready" else kind,
    )
    return Incident(
        finding=finding, begin=entry.since or since.at, end=healthy.at if healthy else None, node=since.name
    )
