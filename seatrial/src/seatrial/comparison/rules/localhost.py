"""Rule: a client connects to `localhost`, where only its own container listens."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNREACHABLE
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import Trait

__all__ = ["explain"]

_LOOPBACK: Final = re.compile(r"(?<![\w.-])(?:localhost|127\.0\.0\.1|\[?::1\]?)(?![\w.-])")
_REMEDY: Final = 'use the name of the service instead of localhost, in tests: service("NAME").url'


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a failed connection to localhost, or a variable that names it on one side."""
    if difference.kind is Kind.VARIABLE and (Trait.LOOPBACK in difference.left) != (Trait.LOOPBACK in difference.right):
        side = case.left if Trait.LOOPBACK in difference.left else case.right
        return Explanation(
            rule="localhost",
            cause=f"variable {difference.subject} names localhost in {side.name}",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=_REMEDY,
        )
    failed = case.find(UNREACHABLE, difference)
    if failed is None:
        return None
    side = case.bad(difference)
    named = case.find(_LOOPBACK, difference)
    if named is None or _of_a_check(named.text):
        return None
    variables = [
        f"{subject}: {name} contains localhost"
        for subject, name, value in case.variables(side)
        if Trait.LOOPBACK in value.traits
    ]
    return Explanation(
        rule="localhost",
        cause=f"a connection to localhost fails in {side.name}: each container has its own localhost",
        evidence=tuple(dict.fromkeys((str(named), str(failed), *variables))),
        remedy=_REMEDY,
    )


def _of_a_check(line: str) -> bool:
    """Return whether a log line tells of a server that listens, or of a request of a health check."""
    return bool(re.search(r"listen|\" 200|GET /health|started|running on", line, re.IGNORECASE))
