"""Find containers whose CPU limit stops them most of the time. Pure."""

from __future__ import annotations

from typing import Final

from seatrial.diagnose.rules.objects import container_spec, pod_ref
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["throttled"]

_ENOUGH: Final = 50
"""Periods of 0.1 s: fewer say little."""

_SHARE: Final = 0.25
"""Share of periods with a stop from which a container is slower than its users expect."""


def throttled(pod: Object, container: str, statistics: str) -> Finding | None:
    """Return that the kernel stopped a container in at least a quarter of its periods; None if it did not.

    Args:
        pod: the pod.
        container: name of the container.
        statistics: `cpu.stat` of its cgroup, version 1 or 2.
    """
    values = {
        key: int(value)
        for key, _, value in (line.partition(" ") for line in statistics.splitlines())
        if value.strip().isdigit()
    }
    periods, stopped = values.get("nr_periods", 0), values.get("nr_throttled", 0)
    if periods < _ENOUGH or stopped < _SHARE * periods:
        return None
    limit = ((container_spec(pod, container).get("resources") or {}).get("limits") or {}).get("cpu", "")
    return Finding(
        cause="CPUThrottled",
        subject=pod_ref(pod, container),
        message=f"its CPU limit of {limit} stopped it in {100 * stopped // periods} % of {periods} periods of 0.1 s",
        evidence=(f"nr_periods {periods}", f"nr_throttled {stopped}"),
        hint="increase its CPU limit, or remove it",
        brief="is throttled",
    )
