"""One problem in the cluster, with its interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from seatrial.model.finding import Finding

__all__ = ["LATE", "Incident", "ServiceName"]

ServiceName = tuple[str, str]
"""Namespace and name of a Service."""

LATE: Final = timedelta(seconds=2)
"""A watch may tell of a change this long after a test met it, on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A problem of a container, pod, workload, node or Service.

    Attributes:
        finding: the problem.
        begin: when it began, by the clock of the cluster.
        end: when it was over; None if it was not.
        namespace: empty for nodes.
        pods: uids of the pods that it took away.
        controller: kind and name of the workload whose pods these are; both empty if unknown.
        services: Services that it concerns directly.
        node: node that it concerns; empty unless all its pods are.
        everywhere: whether it concerns all names and addresses of the cluster.
    """

    finding: Finding
    begin: datetime
    end: datetime | None = None
    namespace: str = ""
    pods: frozenset[str] = frozenset()
    controller: tuple[str, str] = ("", "")
    services: frozenset[ServiceName] = frozenset()
    node: str = ""
    everywhere: bool = False

    def overlaps(self, begin: datetime, end: datetime) -> bool:
        """Return whether the problem existed during an interval."""
        return self.begin <= end and (self.end is None or self.end >= begin)
