"""Compare the outcomes and durations of the tests of two sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Final

from msgspec.structs import replace

from seatrial.comparison.recorded import RecordedRun, Side
from seatrial.model.comparison import Difference, Durations, Kind
from seatrial.model.errors import ExitCode

__all__ = ["Bounds", "ComparedTests", "compare_tests"]

_TESTS_RAN: Final = (ExitCode.PASSED, ExitCode.TESTS_FAILED, ExitCode.NO_TESTS)
_GOOD: Final = frozenset(("passed", "xfailed", "xpassed"))
_NOT_RUN: Final = frozenset(("skipped",))

_DECLARED: Final = "not run: "
"""Begins the reason of a skip that says what the environment lacks: `not run: kubernetes`."""

_FLOOR: Final = 0.25
"""Seconds that are added to both durations of a ratio: the noise of short tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What counts as slower.

    Attributes:
        median: largest accepted median of the ratios.
        test: largest accepted ratio of one test.
        seconds: a test counts as slower only if it takes this much longer.
    """

    median: float = 1.5
    test: float = 3.0
    seconds: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTests:
    """The result.

    Attributes:
        flaky: tests with different outcomes on both sides.
    """

    differences: tuple[Difference, ...]
    durations: Durations
    flaky: tuple[str, ...]


def compare_tests(left: Side, right: Side, bounds: Bounds) -> ComparedTests:
    """Return the differences of the tests, in the order of their node ids within a kind."""
    names = sorted({name for side in (left, right) for run in side.runs for name in run.tests})
    found = [*_run_differences(left, right)]
    cut = any(run.result.exit not in _TESTS_RAN for side in (left, right) for run in side.runs)
    flaky: list[str] = []
    for name in names:
        before, after = left.outcomes(name), right.outcomes(name)
        if not before or not after:
            # Tests that a failed run never reached are one difference: that of the run.
            if not cut:
                found.append(_difference(Kind.MISSING, name, before, after))
        elif _is_flaky(before) and _is_flaky(after):
            flaky.append(f"{name}: {_shown(before)} in {left.name}, {_shown(after)} in {right.name}")
        elif _is_flaky(before) or _is_flaky(after):
            found.append(_difference(Kind.FLAKY, name, before, after))
        elif _class(before[0]) != _class(after[0]):
            kind = Kind.NOT_RUN if _NOT_RUN & {before[0], after[0]} else Kind.OUTCOME
            # The reference declares that it cannot run the test: the other side is not worse.
            declared = before[0] in _NOT_RUN and after[0] in _GOOD and _DECLARED in left.text(name)
            found.append(replace(_difference(kind, name, before, after), counts=not declared))
    durations, slower = _durations(left, right, names, bounds)
    return ComparedTests(differences=(*found, *slower), durations=durations, flaky=tuple(flaky))


def _run_differences(left: Side, right: Side) -> Iterator[Difference]:
    """Yield a difference if a run of one side ended before its tests did, and none of the other one did so alike."""
    ended = [next((run for run in side.runs if run.result.exit not in _TESTS_RAN), None) for side in (left, right)]
    codes = [run.result.exit if run else None for run in ended]
    if codes[0] != codes[1]:
        words = [_ending(run or side.runs[0]) for run, side in zip(ended, (left, right), strict=True)]
        yield Difference(kind=Kind.RUN, subject="the run", left=words[0], right=words[1])


def _ending(run: RecordedRun) -> str:
    return f"exit code {int(run.result.exit)}: {run.result.verdict}"


def _difference(kind: Kind, name: str, before: tuple[str, ...], after: tuple[str, ...]) -> Difference:
    return Difference(kind=kind, subject=name, left=_shown(before), right=_shown(after))


def _class(outcome: str) -> str:
    if outcome in _GOOD:
        return "good"
    return "skipped" if outcome in _NOT_RUN else "bad"


def _is_flaky(outcomes: tuple[str, ...]) -> bool:
    return len({_class(each) for each in outcomes}) > 1


def _shown(outcomes: tuple[str, ...]) -> str:
    """Return outcomes with their numbers: `passed`, or `passed 2, failed 1`."""
    counts = {each: outcomes.count(each) for each in outcomes}
    if len(counts) == 1:
        return outcomes[0]
    return ", ".join(f"{each} {count}" for each, count in counts.items()) or "not collected"


def _durations(left: Side, right: Side, names: list[str], bounds: Bounds) -> tuple[Durations, tuple[Difference, ...]]:
    """Return the ratios of tests that passed on both sides, and the tests above the bound."""
    ratios: dict[str, float] = {}
    spread: list[tuple[float, float]] = []
    slower: list[Difference] = []
    for name in names:
        if {*left.outcomes(name)} | {*right.outcomes(name)} != {"passed"} or not left.seconds(name):
            continue
        before, after = left.seconds(name), right.seconds(name)
        if not before or not after:
            continue
        pairs = [_ratio(*pair) for pair in product(before, after)]
        ratios[name] = _ratio(median(before), median(after))
        spread.append((min(pairs), max(pairs)))
        # With repetitions, only a test that is slower in each of them counts.
        if min(pairs) > bounds.test and min(after) - max(before) >= bounds.seconds:
            slower.append(
                Difference(
                    kind=Kind.SLOWER, subject=name, left=f"{median(before):.2f} s", right=f"{median(after):.2f} s"
                )
            )
    if not ratios:
        return Durations(median_bound=bounds.median, test_bound=bounds.test), ()
    slowest = max(ratios, key=lambda name: ratios[name])
    durations = Durations(
        tests=len(ratios),
        median=round(median(ratios.values()), 3),
        lowest=round(median(low for low, _ in spread), 3),
        highest=round(median(high for _, high in spread), 3),
        slowest=slowest,
        slowest_ratio=round(ratios[slowest], 3),
        median_bound=bounds.median,
        test_bound=bounds.test,
    )
    return durations, tuple(slower)


def _ratio(before: float, after: float) -> float:
    return (after + _FLOOR) / (before + _FLOOR)
