"""A point in time by which an operation must end, passed down instead of a new timeout at each level."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on the monotonic clock.

    Attributes:
        at: seconds on `time.monotonic()`.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def child(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now that is never later than this one."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    def grace(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now, even if this one has passed: to end what it ended, and to read how."""
        return self.after(seconds)

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.at
