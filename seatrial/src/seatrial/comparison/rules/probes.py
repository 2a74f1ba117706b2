"""Rule: a service gets requests before it is ready: one side does not probe it."""

from __future__ import annotations

import re
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.rules.unreachable import UNREACHABLE
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import ContainerFacts

__all__ = ["explain"]

_NOT_YET: Final = re.compile(
    rf"{UNREACHABLE.pattern}|\b50[234]\b|service unavailable|bad gateway|starting up|not (?:yet )?ready", re.IGNORECASE
)
_DECIDES: Final = ("readiness", "startup", "healthcheck")


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a service that did not answer yet and has no probe on this side, or the probes themselves."""
    remedy = (
        "add a readinessProbe that asks the service itself; in Compose a healthcheck and condition: service_healthy"
    )
    if difference.kind is Kind.PROBES:
        return Explanation(
            rule="missing-probe",
            cause=f"the probes of {difference.subject} differ",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy=remedy,
        )
    line = case.find(_NOT_YET, difference, logs=False)
    if line is None:
        return None
    side = case.bad(difference)
    for here in case.concerned(difference, side):
        there = case.pair(here.name, side)[1]
        if not here.once and not _probed(here) and there is not None and (_probed(there) or _has_check(case, there)):
            return Explanation(
                rule="missing-probe",
                cause=f"{here.name} has no readiness probe in {side.name} and got requests before it was ready",
                evidence=(str(line), f"{there.name} in {case.other(side).name}: {', '.join(there.probes) or 'probed'}"),
                remedy=remedy,
            )
    return None


def _probed(container: ContainerFacts) -> bool:
    return any(each in _DECIDES for each in container.probes)


def _has_check(case: Case, container: ContainerFacts) -> bool:
    """Return whether another container waits until this one is healthy."""
    return any(
        f"{container.name} (service_healthy)" in each.waits_for
        for side in (case.left, case.right)
        for each in side.containers
    )
