"""Rule: a program writes to a root file system that is read-only."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.model.comparison import Difference, Explanation, Kind

__all__ = ["explain"]

_READ_ONLY: Final = re.compile(r"read-only file system|EROFS|Errno 30\b|ReadOnlyFileSystem", re.IGNORECASE)


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a refused write, or the setting itself."""
    remedy = "mount an emptyDir where the program writes, or set readOnlyRootFilesystem: false"
    if difference.kind is Kind.READ_ONLY:
        return Explanation(
            rule="read-only-root",
            cause=f"the root file system of {difference.subject} is read-only on one side",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=remedy,
        )
    line = case.find(_READ_ONLY, difference)
    if line is None:
        return None
    return Explanation(
        rule="read-only-root",
        cause=f"a program cannot write to its file system in {case.bad(difference).name}",
        evidence=(str(line),),
        remedy=remedy,
    )
