"""Compare two sides: differences, explanations, acceptance, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from msgspec.structs import replace

from seatrial.comparison.accepted import Entry, accept
from seatrial.comparison.case import Case
from seatrial.comparison.conditions import boxes, verdict
from seatrial.comparison.facts import compare_facts
from seatrial.comparison.recorded import Side
from seatrial.comparison.rules import explain
from seatrial.comparison.tests import Bounds, compare_tests
from seatrial.model.comparison import ComparedSide, Comparison, Difference, Kind
from seatrial.model.errors import ExitCode

__all__ = ["compare"]

_ORDER: Final = {kind: rank for rank, kind in enumerate(Kind)}


def compare(
    left: Side,
    right: Side,
    *,
    bounds: Bounds,
    entries: Sequence[Entry] = (),
    file: str = "",
    today: date,
    ready: bool = False,
) -> Comparison:
    """Return the comparison of two sides.

    Args:
        left: the reference: Compose, the old version.
        right: what has to be equal to it.
        bounds: what counts as slower.
        entries: accepted differences.
        file: name of the file with these entries, for notes.
        today: the day on which entries may expire.
        ready: whether all four conditions must be proven for exit code 0, else only differences decide.
    """
    tests = compare_tests(left, right, bounds)
    differences = (*tests.differences, *compare_facts(left.facts, right.facts))
    case = Case(left, right, differences)
    explained = [replace(each, explanation=explain(each, case)) for each in differences]
    accepted, notes = accept(explained, entries, today=today, name=file)
    ordered = sorted(accepted, key=_rank)
    blockers = [each for each in ordered if each.counts and each.accepted is None]
    conditions = boxes(left, right, ordered, tests.durations)
    too_slow = (tests.durations.median or 0.0) > bounds.median
    differs = bool(blockers) or too_slow or (ready and not all(box.proven for box in conditions))
    return Comparison(
        exit=ExitCode.PARITY_DIFFERS if differs else ExitCode.PASSED,
        verdict=verdict(left, right, conditions, blockers),
        ready=all(box.proven for box in conditions),
        left=_side(left),
        right=_side(right),
        boxes=conditions,
        durations=tests.durations,
        differences=tuple(ordered),
        flaky=tests.flaky,
        notes=(*_missing(left, right), *_declared(left, differences), *notes),
    )


def _rank(difference: Difference) -> tuple[bool, bool, int, bool, str]:
    """Return the place of a difference: those that count first, within a kind unexplained ones first."""
    return (
        not difference.counts,
        difference.accepted is not None,
        _ORDER[difference.kind],
        difference.explanation is not None,
        difference.subject,
    )


def _missing(left: Side, right: Side) -> Iterator[str]:
    """Yield what could not be compared."""
    for side in (left, right):
        if side.facts is None:
            yield f"{side.name} has no facts.json: environments are compared by their tests only"
    if left.facts is not None and right.facts is not None and left.facts.key != right.facts.key:
        yield "the runs come from different machines: values of variables are not compared (SEATRIAL_FACTS_KEY)"
    trees = [side.runs[0].result.tree for side in (left, right)]
    if trees[0] is not None and trees[1] is not None and trees[0].pod != trees[1].pod:
        yield "the two sides ran different files: the working tree changed between the runs"


def _declared(left: Side, differences: Sequence[Difference]) -> Iterator[str]:
    """Yield how many tests the left side declares not to run."""
    count = sum(each.kind is Kind.NOT_RUN and not each.counts for each in differences)
    if count:
        yield f"{count} tests do not run in {left.name}, as their markers say; -v lists them"


def _side(side: Side) -> ComparedSide:
    names = {name for run in side.runs for name in run.tests}
    return ComparedSide(
        name=side.name,
        kind=side.kind,
        runs=tuple(run.directory for run in side.runs),
        exits=tuple(int(run.result.exit) for run in side.runs),
        tests=len(names),
        passed=sum({*side.outcomes(name)} <= {"passed", "xfailed", "xpassed"} for name in names),
        facts=side.facts is not None,
    )
