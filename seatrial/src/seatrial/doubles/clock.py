"""Time that passes when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that stands still.

    Args:
        start: wall clock at the beginning; it needs an offset from UTC.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0

    def now(self) -> datetime:
        """Return the wall clock."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Return the seconds that passed since the beginning."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass; never backwards."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._passed += seconds
