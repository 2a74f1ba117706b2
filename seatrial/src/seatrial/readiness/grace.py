"""Decide when a suspected problem is fatal: when it has lasted for its grace period."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from seatrial.model.finding import Finding, ObjectRef
from seatrial.readiness.judgment import Suspicion

__all__ = ["GracePeriods"]


class GracePeriods:
    """The time since when each suspicion exists without interruption."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, ObjectRef], float] = {}

    def update(self, suspicions: Iterable[Suspicion], now: float) -> tuple[tuple[Finding, ...], float | None]:
        """Take the suspicions that exist now.

        Args:
            suspicions: all of them.
            now: seconds on any monotonic clock.

        Returns:
            The fatal findings, and the time at which the next one becomes fatal; None if no other one can.
        """
        current = {suspicion.key: suspicion for suspicion in suspicions}
        self._since = {key: self._since.get(key, now) for key in current}
        due = {key: self._since[key] + suspicion.grace for key, suspicion in current.items()}
        fatal = tuple(replace(suspicion.finding, fatal=True) for key, suspicion in current.items() if due[key] <= now)
        later = [time for time in due.values() if now < time < math.inf]
        return fatal, min(later, default=None)
