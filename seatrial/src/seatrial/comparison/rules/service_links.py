"""Rule: a program reads a variable that Kubernetes set for a Service: `WEB_PORT=tcp://10.96.0.7:80`."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import Trait

__all__ = ["explain"]

_LINK: Final = re.compile(r"(?:tcp|udp)://\d+\.\d+\.\d+\.\d+:\d+")
_REMEDY: Final = "set enableServiceLinks: false in the pod's specification, or rename the variable of the program"


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a failure whose text shows the value of a service link, or a variable with such a value."""
    if difference.kind is Kind.SERVICE_LINKS:
        return Explanation(
            rule="service-links",
            cause=f"{difference.subject} gets variables of Services on one side only",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=_REMEDY,
        )
    if difference.kind is Kind.VARIABLE and Trait.SERVICE_LINK in f"{difference.left} {difference.right}":
        side = case.left if Trait.SERVICE_LINK in difference.left else case.right
        return Explanation(
            rule="service-links",
            cause=f"variable {difference.subject} was set by Kubernetes for a Service in {side.name}",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=_REMEDY,
        )
    line = case.find(_LINK, difference)
    side = case.bad(difference)
    linked = [each.name for each in case.concerned(difference, side) if each.service_links]
    if line is None or not linked:
        return None
    return Explanation(
        rule="service-links",
        cause=f"a program in {side.name} reads a variable that Kubernetes set for a Service",
        evidence=(str(line), f"service links are on in {', '.join(linked)}"),
        remedy=_REMEDY,
    )
