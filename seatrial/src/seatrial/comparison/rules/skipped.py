"""Rule: a test was skipped, or not collected, on one side."""

from __future__ import annotations

from seatrial.comparison.case import Case
from seatrial.comparison.recorded import Side
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a skip by its reason, and a missing test by its module or the selection of the tests."""
    if difference.kind is Kind.NOT_RUN:
        side = case.left if "skipped" in difference.left else case.right
        reason = next(iter(side.text(difference.subject).splitlines()), "")
        return Explanation(
            rule="skipped",
            cause=f"the test is skipped in {side.name}: {reason or 'without a reason'}",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy="remove the condition of the skip, or accept the difference with its reason",
        )
    if difference.kind is not Kind.MISSING:
        return None
    side = case.left if difference.left == "not collected" else case.right
    module = difference.subject.partition("::")[0]
    broken = [
        f"{name}: {test.outcome}"
        for name, test in side.runs[0].tests.items()
        if name == module and test.outcome == "error"
    ]
    deselected = [
        f"{each.name}: {each.runs[0].result.counts.deselected} deselected" for each in (case.left, case.right)
    ]
    if broken:
        cause = f"module {module} could not be collected in {side.name}"
    elif _deselected(case.left) != _deselected(case.right):
        cause = f"the test was not selected in {side.name}"
    elif not any(name.startswith(f"{module}::") for name in side.runs[0].tests):
        cause = f"{side.name} has no test of {module}"
    else:
        cause = f"{side.name} collected other tests of {module}"
    return Explanation(
        rule="skipped",
        cause=cause,
        evidence=(*broken, *deselected),
        remedy="run the same tests with the same selection on both sides",
    )


def _deselected(side: Side) -> int:
    return side.runs[0].result.counts.deselected
