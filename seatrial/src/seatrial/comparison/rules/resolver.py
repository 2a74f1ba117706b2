"""Rule: a name does not resolve: the search path, ndots or the name of the Service differ."""

from __future__ import annotations

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNKNOWN_NAME
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain an unknown name, with the settings of the resolver on both sides."""
    line = case.find(UNKNOWN_NAME, difference)
    if line is None and difference.kind is not Kind.NAME:
        return None
    side = case.bad(difference)
    settings = [
        f"resolver: {each.left} in {case.left.name}, {each.right} in {case.right.name}"
        for each in case.of_kind(Kind.RESOLVER)
    ]
    names = [
        f"{each.subject}: {each.left} in {case.left.name}, {each.right} in {case.right.name}"
        for each in case.of_kind(Kind.NAME, Kind.SERVICE)
    ]
    what = difference.subject if difference.kind is Kind.NAME else "a name that a client uses"
    return Explanation(
        rule="dns",
        cause=f"{what} does not resolve in {side.name}",
        evidence=(*([str(line)] if line else ()), *names, *settings),
        remedy="use the name of a Service in the same namespace, or SERVICE.NAMESPACE.svc.cluster.local",
    )
