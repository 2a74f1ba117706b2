"""Fake a clock that only moves when a test advances it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that stands still between calls of `advance`.

    Args:
        start: time of the clock at the start, with an offset from UTC.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0

    def now(self) -> datetime:
        """Return the time of the clock."""
        return self._start + timedelta(seconds=self._passed)

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"cannot move the clock backwards, by {seconds} s")
        self._passed += seconds
