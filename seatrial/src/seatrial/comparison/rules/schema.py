"""Rule: a database, table, column or bucket does not exist: an init step or a migration did not run."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_MISSING: Final = re.compile(
    r"(?:relation|table|column|database|schema|role|type) [\"'`]?[\w.]+[\"'`]?(?: of relation \S+)? does not exist"
    r"|no such (?:table|column)|Undefined(?:Table|Column)|unknown (?:database|column)|Table '\S+' doesn't exist"
    r"|NoSuchBucket|bucket \S* ?does not exist|ORA-00942|not[- ]migrated|pending migrations?|unapplied migration",
    re.IGNORECASE,
)
_REMEDY: Final = (
    "run the same migration or init step on both sides: an init container, a hook Job, or a one-off service"
)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain what a client misses in a database or bucket, or an init step that one side does not have."""
    if difference.kind in (Kind.ORDER, Kind.SERVICE):
        once = any(each is not None and each.once for each in case.pair(difference.subject, case.right))
        if not once and difference.kind is Kind.SERVICE:
            return None
        if difference.kind is Kind.SERVICE:
            return Explanation(
                rule="init-or-migration",
                cause=f"the one-off step {difference.subject} runs on one side only",
                evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
                remedy=_REMEDY,
            )
        return None
    line = case.find(_MISSING, difference)
    if line is None:
        return None
    steps = [
        f"{each.kind} {each.subject}: {each.left} in {case.left.name}, {each.right} in {case.right.name}"
        for each in case.of_kind(Kind.ORDER, Kind.SERVICE)
    ]
    return Explanation(
        rule="init-or-migration",
        cause=f"{line.match[0]} in {case.bad(difference).name}",
        evidence=(str(line), *steps),
        remedy=_REMEDY,
    )
