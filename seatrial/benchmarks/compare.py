"""Compute medians, spreads, paired ratios and goals from samples. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.values import OURS, Figure, Goal, Measured, Sample

__all__ = ["Judged", "Spread", "figures", "judge", "ratios", "schedule", "seconds_of", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The spread of several measurements."""

    median: float
    least: float
    most: float
    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal and the reached value.

    Attributes:
        reached: seconds, or fraction of the peer's time; None if it was not measured.
        met: whether the goal is met.
    """

    goal: Goal
    reached: float | None
    met: bool


def spread(values: Iterable[float]) -> Spread | None:
    """Return median, minimum and maximum; None without values."""
    known = list(values)
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known), len(known))


def seconds_of(samples: Iterable[Sample], side: str, figure: Figure) -> dict[int, float]:
    """Return a side's times by round."""
    return {
        sample.round: sample.seconds[figure] for sample in samples if sample.side == side and figure in sample.seconds
    }


def ratios(samples: Sequence[Sample], side: str, figure: Figure) -> Spread | None:
    """Return the ratio of a side's time to seatrial's, for each pair.

    The samples of a pair are taken directly after each other, so a drift of the machine's speed does not affect the
    ratio. A side with one sample, because it waits for a timeout, is compared with all of seatrial's samples.
    """
    ours, theirs = seconds_of(samples, OURS, figure), seconds_of(samples, side, figure)
    if len(theirs) == 1:
        theirs = dict.fromkeys(ours, next(iter(theirs.values())))
    return spread(theirs[number] / ours[number] for number in ours if number in theirs and ours[number] > 0)


def figures(measured: Measured) -> list[Figure]:
    """Return the figures of a scenario, those with goals first."""
    there = [figure for figure in Figure if any(figure in sample.seconds for sample in measured.samples)]
    wanted = list(dict.fromkeys(goal.figure for goal in measured.goals))
    return [figure for figure in wanted if figure in there] + [figure for figure in there if figure not in wanted]


def judge(goal: Goal, samples: Sequence[Sample]) -> Judged:
    """Compare a goal with the samples: the median of seatrial's times or of the paired ratios counts."""
    if goal.seconds is not None:
        ours = spread(seconds_of(samples, OURS, goal.figure).values())
        took = ours.median if ours else None
        return Judged(goal, took, took is not None and took <= goal.seconds)
    times = ratios(samples, goal.peer, goal.figure)
    part = 1 / times.median if times else None
    return Judged(goal, part, part is not None and goal.times is not None and part <= goal.times)


def schedule(limits: Sequence[int | None], rounds: int) -> list[tuple[int, int]]:
    """Return the order of samples, as round and index of the side: A B A B …, never A A B B.

    Args:
        limits: the number of sufficient samples of each side; None: one per round.
        rounds: the number of samples of each side without a limit.
    """
    return [
        (number, place)
        for number in range(rounds)
        for place, limit in enumerate(limits)
        if limit is None or number < limit
    ]
