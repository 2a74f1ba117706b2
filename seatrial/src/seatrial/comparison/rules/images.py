"""Rule: a service runs another image."""

from __future__ import annotations

from typing import Final

from seatrial.comparison.case import TEST_KINDS, Case
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_KINDS: Final = (Kind.OUTCOME, Kind.FLAKY, Kind.EXIT, Kind.RESTARTS, Kind.RUN)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a difference of the image, or one of a service with another image."""
    if difference.kind is Kind.IMAGE:
        return _image(difference, case)
    if difference.kind not in _KINDS:
        return None
    changed = list(case.of_kind(Kind.IMAGE))
    if difference.kind in TEST_KINDS:
        used = case.bad(difference).services(difference.subject)
        if used:
            named = {name for each in case.concerned(difference, case.right) for name in (each.name, *each.names)}
            changed = [each for each in changed if each.subject in named]
    elif difference.kind is not Kind.RUN:
        changed = [each for each in changed if each.subject == difference.subject]
    return _image(changed[0], case) if changed else None


def _image(difference: Difference, case: Case) -> Explanation:
    return Explanation(
        rule="image-digest",
        cause=f"{difference.subject} runs another image",
        evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
        remedy="use the same digest on both sides, or accept the difference if the upgrade is intended",
    )
