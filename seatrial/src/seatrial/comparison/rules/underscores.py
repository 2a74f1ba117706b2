"""Rule: a host name contains `_`: Compose resolves it, Kubernetes and many clients refuse it."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNKNOWN_NAME
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import Trait

__all__ = ["explain"]

_HOST: Final = re.compile(
    r"(?:://(?:[^/@\s]*@)?|host(?:[ _]?(?:name|header))?[=:' \"]+)([a-z0-9-]+_[a-z0-9_-]*[a-z0-9])(?=[:/'\",\s)\]]|$)",
    re.IGNORECASE,
)
_INVALID: Final = re.compile(
    r"invalid (?:http_)?host|not valid according to RFC|invalid label|illegal character", re.IGNORECASE
)
_REMEDY: Final = "rename the service with - instead of _, in both environments and in the variables that name it"


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a name with an underscore that one side does not resolve or refuses."""
    sides = f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"
    if difference.kind in (Kind.NAME, Kind.SERVICE, Kind.PORT) and "_" in difference.subject:
        return Explanation(
            rule="underscore", cause=f"the name {difference.subject} contains _", evidence=sides, remedy=_REMEDY
        )
    if difference.kind is Kind.VARIABLE and Trait.UNDERSCORE_HOST in f"{difference.left} {difference.right}":
        return Explanation(
            rule="underscore",
            cause=f"variable {difference.subject} names a host with _ on one side",
            evidence=sides,
            remedy=_REMEDY,
        )
    failed = case.find(UNKNOWN_NAME, difference) or case.find(_INVALID, difference)
    if failed is None:
        return None
    side = case.bad(difference)
    named = case.find(_HOST, difference)
    variables = [
        f"{subject}: {name} names a host with _"
        for subject, name, value in case.variables(side)
        if Trait.UNDERSCORE_HOST in value.traits
    ]
    if named is None and not variables:
        return None
    host = f" {named.match[1]}" if named else ""
    return Explanation(
        rule="underscore",
        cause=f"the host name{host} with _ is not valid in {side.name}",
        evidence=tuple(dict.fromkeys((*([str(named)] if named else ()), str(failed), *variables))),
        remedy=_REMEDY,
    )
