"""Time: when a suspicion has had its grace and becomes the cause of a failure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from seatrial.model.finding import Finding, ObjectRef
from seatrial.readiness.verdict import Suspicion

__all__ = ["Patience"]


class Patience:
    """Remembers since when each suspicion stands."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, ObjectRef], float] = {}

    def look(self, suspicions: Iterable[Suspicion], now: float) -> tuple[tuple[Finding, ...], float | None]:
        """Take all suspicions that stand now.

        Args:
            suspicions: all of them.
            now: seconds on any clock that only goes forward.

        Returns:
            Those that are fatal, and the moment at which the next one will be; None if there is none.
        """
        standing = {suspicion.key: suspicion for suspicion in suspicions}
        self._since = {key: self._since.get(key, now) for key in standing}
        due = {key: self._since[key] + suspicion.grace for key, suspicion in standing.items()}
        fatal = tuple(replace(suspicion.finding, fatal=True) for key, suspicion in standing.items() if due[key] <= now)
        later = [moment for moment in due.values() if moment > now]
        return fatal, min(later, default=None)
