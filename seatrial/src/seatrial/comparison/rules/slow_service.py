"""Rule: tests or starts are slower because a service answers slower or has less CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.facts import pairs
from seatrial.comparison.recorded import Side
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_RATIO: Final = 3.0
_SECONDS: Final = 0.1


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a slower test or start by the answer time of services, or by their CPU limits."""
    if difference.kind not in (Kind.SLOWER, Kind.SLOWER_START):
        return None
    evidence = [*_slow_answers(case), *_less_cpu(case)]
    if not evidence and difference.kind is Kind.SLOWER:
        evidence = [f"{each.subject}: {each.left}, {each.right}" for each in case.of_kind(Kind.SLOWER_START)]
    if not evidence and difference.kind is Kind.SLOWER_START:
        evidence = [f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"]
    if not evidence:
        return None
    return Explanation(
        rule="slow-service",
        cause=f"{evidence[0].partition(':')[0]} is slower in {case.right.name}",
        evidence=tuple(evidence),
        remedy="raise the CPU limit of the service, or find what it waits for in its log",
    )


def _answers(side: Side) -> dict[str, float]:
    runner = side.facts.runner if side.facts else None
    return {each.service: each.seconds for each in runner.ports if not each.error} if runner else {}


def _slow_answers(case: Case) -> Iterator[str]:
    before, after = _answers(case.left), _answers(case.right)
    for name in sorted(before.keys() & after.keys()):
        if after[name] > _RATIO * before[name] and after[name] - before[name] >= _SECONDS:
            times = f"{before[name]:.3f} s in {case.left.name}, {after[name]:.3f} s in {case.right.name}"
            yield f"{name}: answers after {times}"


def _less_cpu(case: Case) -> Iterator[str]:
    for before, after in pairs(case.left.containers, case.right.containers):
        if before is None or after is None or not after.limits.cpu:
            continue
        if not before.limits.cpu or before.limits.cpu > _RATIO * after.limits.cpu:
            limit = f"{before.limits.cpu:g} CPU" if before.limits.cpu else "no CPU limit"
            yield f"{after.name}: {limit} in {case.left.name}, {after.limits.cpu:g} CPU in {case.right.name}"
