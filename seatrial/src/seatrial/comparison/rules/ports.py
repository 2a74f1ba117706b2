"""Rule: a service listens on another port."""

from __future__ import annotations

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNREACHABLE
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a port that differs, or a failed connection beside one."""
    if difference.kind is Kind.PORT:
        # A port is a fact: no failure tells of it.
        changed, line = [difference], None
    else:
        every = list(case.of_kind(Kind.PORT))
        changed = [each for each in every if each.counts] or every
        # Ports that differ by nature explain only a connection that failed in the test itself: logs tell of others.
        line = case.find(UNREACHABLE, difference, logs=changed[0].counts) if changed else None
        if line is None:
            return None
    first = changed[0]
    return Explanation(
        rule="port",
        cause=f"the port of {first.subject} differs or is not open on one side",
        evidence=(
            *([str(line)] if line else ()),
            *(
                f"{each.subject}: {each.left} in {case.left.name}, {each.right} in {case.right.name}"
                for each in changed
            ),
        ),
        remedy=f"make {first.subject} listen on the same port, and its Service and [service.NAME] port agree with it",
    )
