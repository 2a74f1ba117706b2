"""Samples to figures that can be quoted: medians, spreads, ratios pair by pair, goals met or not. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.values import OURS, Figure, Goal, Measured, Sample

__all__ = ["Judged", "Spread", "figures", "judge", "ratios", "schedule", "seconds_of", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    least: float
    most: float
    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal beside what was reached.

    Attributes:
        reached: seconds, or part of what the peer takes; None: nothing was measured that says it.
        met: whether that is enough.
    """

    goal: Goal
    reached: float | None
    met: bool


def spread(values: Iterable[float]) -> Spread | None:
    """Return median, least and most of values; None if there are none."""
    known = list(values)
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known), len(known))


def seconds_of(samples: Iterable[Sample], side: str, figure: Figure) -> dict[int, float]:
    """Return what a side took, by round."""
    return {
        sample.round: sample.seconds[figure] for sample in samples if sample.side == side and figure in sample.seconds
    }


def ratios(samples: Sequence[Sample], side: str, figure: Figure) -> Spread | None:
    """Return how many times as long a side takes as the tool does, pair by pair.

    Both of a pair were taken right after each other, so a machine whose speed drifts does not move their ratio. A side
    with one sample, because it sits out a timeout, is compared with all of the tool's.
    """
    ours, theirs = seconds_of(samples, OURS, figure), seconds_of(samples, side, figure)
    if len(theirs) == 1:
        theirs = dict.fromkeys(ours, next(iter(theirs.values())))
    return spread(theirs[number] / ours[number] for number in ours if number in theirs and ours[number] > 0)


def figures(measured: Measured) -> list[Figure]:
    """Return the figures that a scenario has, those of its goals first."""
    there = [figure for figure in Figure if any(figure in sample.seconds for sample in measured.samples)]
    wanted = list(dict.fromkeys(goal.figure for goal in measured.goals))
    return [figure for figure in wanted if figure in there] + [figure for figure in there if figure not in wanted]


def judge(goal: Goal, samples: Sequence[Sample]) -> Judged:
    """Hold a goal against samples: the median counts, of the tool's seconds or of the paired ratios."""
    if goal.seconds is not None:
        ours = spread(seconds_of(samples, OURS, goal.figure).values())
        took = ours.median if ours else None
        return Judged(goal, took, took is not None and took <= goal.seconds)
    times = ratios(samples, goal.peer, goal.figure)
    part = 1 / times.median if times else None
    return Judged(goal, part, part is not None and goal.times is not None and part <= goal.times)


def schedule(limits: Sequence[int | None], rounds: int) -> list[tuple[int, int]]:
    """Return in which order to take samples, as round and place of the side: A B A B …, never A A B B.

    Args:
        limits: for each side, how many samples are enough of it; None: as many as there are rounds.
        rounds: how many samples each side without a limit gets.
    """
    return [
        (number, place)
        for number in range(rounds)
        for place, limit in enumerate(limits)
        if limit is None or number < limit
    ]
