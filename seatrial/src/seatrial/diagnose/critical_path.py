"""Divide the duration of a run among its stages, along the critical path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from seatrial.model.result import Stage, StageResult

__all__ = ["seconds_on_path"]


def seconds_on_path(stages: Sequence[StageResult], wall: float) -> dict[Stage, float]:
    """Return the seconds of wall time that each stage accounts for; the sum is the time that any stage ran.

    Where stages overlap, the time counts for the one that ends last: a shorter other stage would not have helped.
    """
    seconds: dict[Stage, float] = {each.stage: 0.0 for each in stages}
    for begin, end in _pieces(stages, wall):
        running = [each for each in stages if each.started <= begin and each.started + each.seconds >= end]
        if running:
            latest = max(running, key=lambda each: each.started + each.seconds)
            seconds[latest.stage] += end - begin
    return seconds


def _pieces(stages: Iterable[StageResult], wall: float) -> list[tuple[float, float]]:
    marks = {0.0, wall}
    for each in stages:
        marks |= {min(each.started, wall), min(each.started + each.seconds, wall)}
    ordered = sorted(marks)
    return list(pairwise(ordered))
