"""Define the interface of scenarios, one per file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from benchmarks.place import Place
from benchmarks.values import Figure, Goal, SideInfo

__all__ = ["Scenario", "Side", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of one sample.

    Attributes:
        seconds: by figure.
        parts: commands or stages -> seconds.
    """

    seconds: dict[Figure, float]
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the compared sides.

    Attributes:
        take: takes a sample.
        enough: number of sufficient samples, for a side that waits for a timeout; None: one per round.
    """

    info: SideInfo
    take: Callable[[], Taken]
    enough: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario: the measured sides and the goals.

    Attributes:
        rounds: default number of samples of each side.
        sides: sets up shared resources and yields the sides.
    """

    name: str
    title: str
    rounds: int
    goals: tuple[Goal, ...]
    sides: Callable[[Place], AbstractContextManager[tuple[Side, ...]]]
