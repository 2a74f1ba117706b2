"""One file a scenario; this one says what a scenario is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from benchmarks.place import Place
from benchmarks.values import Figure, Goal, SideInfo

__all__ = ["Scenario", "Side", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What one sample came to.

    Attributes:
        seconds: by figure.
        parts: where the time went: commands or stages to seconds.
    """

    seconds: dict[Figure, float]
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """One of those compared.

    Attributes:
        take: takes a sample.
        enough: so many samples will do, because it sits out a timeout; None: as many as rounds.
    """

    info: SideInfo
    take: Callable[[], Taken]
    enough: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is measured, and against what.

    Attributes:
        rounds: samples of each side, unless somebody wants more or fewer.
        sides: sets up what all samples need, and gives the sides.
    """

    name: str
    title: str
    rounds: int
    goals: tuple[Goal, ...]
    sides: Callable[[Place], AbstractContextManager[tuple[Side, ...]]]
