"""Rule: a NetworkPolicy drops connections."""

from __future__ import annotations

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNREACHABLE
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a connection that gets no answer where the policies differ, or a policy itself."""
    remedy = "allow the connection in the NetworkPolicy: kubectl describe networkpolicy"
    if difference.kind is Kind.POLICY:
        return Explanation(
            rule="network-policy",
            cause=f"NetworkPolicy {difference.subject} differs",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=remedy,
        )
    policies = [
        f"NetworkPolicy {each.subject}: {each.left} in {case.left.name}, {each.right} in {case.right.name}"
        for each in case.of_kind(Kind.POLICY)
    ]
    line = case.find(UNREACHABLE, difference)
    if not policies or (line is None and difference.kind is not Kind.PORT):
        return None
    if difference.kind is Kind.PORT and "open" not in (difference.left.split()[-1], difference.right.split()[-1]):
        return None
    return Explanation(
        rule="network-policy",
        cause=f"a connection is blocked in {case.bad(difference).name}, where NetworkPolicies differ",
        evidence=(*([str(line)] if line else ()), *policies),
        remedy=remedy,
    )
