"""Rule: an environment variable is missing, or has another value."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import TEST_KINDS, Case
from seatrial.comparison.facts import RUNNER
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_KINDS: Final = (Kind.OUTCOME, Kind.RUN, Kind.EXIT, Kind.RESTARTS, Kind.NOT_RUN, Kind.FLAKY)
_NOT_SET: Final = "not set"


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a variable, or a failure whose text names one that differs."""
    if difference.kind is Kind.VARIABLE:
        return _variable(difference, case)
    if difference.kind not in _KINDS:
        return None
    for each in case.of_kind(Kind.VARIABLE):
        container, _, name = each.subject.partition(" ")
        pattern = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")
        line = next(iter(case.find_all(pattern, difference)), None) or case.find(pattern, difference)
        if line is not None:
            found = _variable(each, case)
            return Explanation(
                rule=found.rule, cause=found.cause, evidence=(str(line), *found.evidence), remedy=found.remedy
            )
        del container
    return _of_a_used_service(difference, case)


def _of_a_used_service(difference: Difference, case: Case) -> Explanation | None:
    """Explain a failed test by variables of the service that it used, or that crashed."""
    side = case.bad(difference)
    if difference.kind in TEST_KINDS:
        used = side.services(difference.subject)
        named = (
            {name for each in case.concerned(difference, side) for name in (each.name, *each.names)} if used else set()
        )
    else:
        named = {difference.subject}
    changed = [each for each in case.of_kind(Kind.VARIABLE) if each.subject.partition(" ")[0] in named - {RUNNER}]
    if not changed:
        return None
    found = _variable(changed[0], case)
    more = tuple(f"also {each.subject}" for each in changed[1:])
    return Explanation(rule=found.rule, cause=found.cause, evidence=(*found.evidence, *more), remedy=found.remedy)


def _variable(difference: Difference, case: Case) -> Explanation:
    sides = f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"
    container, _, name = difference.subject.partition(" ")
    if _NOT_SET in (difference.left, difference.right):
        side = case.left if difference.left == _NOT_SET else case.right
        return Explanation(
            rule="missing-variable",
            cause=f"{name} is not set for {container} in {side.name}",
            evidence=sides,
            remedy=f"set {name} on both sides, or accept the difference",
        )
    return Explanation(
        rule="variable-value",
        cause=f"{name} of {container} has different values",
        evidence=sides,
        remedy=f"take the value of {name} from one source for both sides, or accept the difference",
    )
