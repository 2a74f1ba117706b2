"""Rule: a program runs as another user and lacks rights to files or ports."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_DENIED: Final = re.compile(
    r"permission denied|EACCES|operation not permitted|Errno 13\b|PermissionError"
    r"|must (?:not )?be run as|(?:not|cannot) be (?:run|executed) as root|runAsNonRoot|no user exists for uid",
    re.IGNORECASE,
)
_FOR_TABLE: Final = re.compile(r"permission denied for (?:table|schema|database|relation)", re.IGNORECASE)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a lack of rights where the user differs, or the user itself."""
    remedy = "set the same user on both sides: runAsUser and fsGroup in the pod, user in Compose, or USER in the image"
    if difference.kind is Kind.USER:
        return Explanation(
            rule="user-id",
            cause=f"{difference.subject} runs as another user",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=remedy,
        )
    line = case.find(_DENIED, difference)
    users = list(case.of_kind(Kind.USER))
    if line is None or _FOR_TABLE.search(line.text) or not users:
        return None
    evidence = [
        f"{each.subject}: user {each.left} in {case.left.name}, {each.right} in {case.right.name}" for each in users
    ]
    return Explanation(
        rule="user-id",
        cause=f"a program lacks rights in {case.bad(difference).name}, where it runs as another user",
        evidence=(str(line), *evidence),
        remedy=remedy,
    )
