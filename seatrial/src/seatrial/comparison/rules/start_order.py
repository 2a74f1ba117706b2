"""Rule: a program started before a service that it needs, and did not wait for it."""

from __future__ import annotations

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import REFUSED, UNKNOWN_NAME
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a program that ended because another service did not answer yet, or steps that it waits for."""
    remedy = "let the program retry its first connection, or wait for the service in an init container"
    if difference.kind is Kind.ORDER:
        return Explanation(
            rule="start-order",
            cause=f"{difference.subject} waits for other steps before it starts",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=remedy,
        )
    if difference.kind not in (Kind.RESTARTS, Kind.EXIT, Kind.RUN, Kind.OUTCOME):
        return None
    side = case.bad(difference)
    restarted = [
        each for each in case.concerned(difference, side) if each.restarts and "OOMKilled" not in each.last_exit
    ]
    orders = list(case.of_kind(Kind.ORDER))
    if not restarted:
        return None
    line = case.find(REFUSED, difference) or case.find(UNKNOWN_NAME, difference)
    if line is None and not any(
        each.subject in {name for one in restarted for name in (one.name, *one.names)} for each in orders
    ):
        return None
    first = restarted[0]
    return Explanation(
        rule="start-order",
        cause=f"{first.name} started before a service that it needs in {side.name}, and was restarted",
        evidence=(
            *([str(line)] if line else ()),
            f"{first.name}: {first.restarts} restarts, last exit {first.last_exit or 'unknown'}",
            *(
                f"{each.subject} waits for {each.left} in {case.left.name}, {each.right} in {case.right.name}"
                for each in orders
            ),
        ),
        remedy=remedy,
    )
