"""Find nodes that were not ready, lacked a resource, or stopped to renew their lease. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import NodeRecord
from seatrial.model.timeline_index import Key, TimelineIndex

__all__ = ["node_incidents", "silent_node"]

_GRACE: Final = timedelta(seconds=50)
"""Seconds without a sign of life after which the node controller calls a node unknown; 40 before Kubernetes 1.32.

https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/ (--node-monitor-grace-period)
"""

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
    begin = entry.since or since.at
    if kind == "Ready" and entry.status == "Unknown":
        begin -= _GRACE
    return Incident(finding=finding, begin=begin, end=healthy.at if healthy else None, node=since.name)


def silent_node(name: str, last_sign: datetime, now: datetime) -> Incident:
    """Return the problem of a node whose kubelet does not renew its lease.

    Args:
        name: the node.
        last_sign: when it renewed the lease.
        now: when the lease was read.
    """
    seconds = (now - last_sign).total_seconds()
    finding = Finding(
        cause="NodeNotReady",
        subject=ObjectRef(kind="Node", name=name),
        message=f"its kubelet has not renewed its lease for {seconds:.0f} s, and does so every 10 s",
        brief="stopped answering",
    )
    return Incident(finding=finding, begin=last_sign, node=name)
