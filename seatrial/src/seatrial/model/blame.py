"""Whose fault a failed test is: the causes in the cluster, and the evidence that they concern the test."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from seatrial.model.finding import Finding

__all__ = ["Blame", "Cause", "Fault", "blame_lines", "blame_summary", "is_platform_only"]


class Fault(StrEnum):
    """Whose fault a failure is: of the test or unknown; of a service that the charts deploy; of the cluster itself."""

    TEST = "test"
    SERVICE = "service"
    PLATFORM = "platform"


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A problem in the cluster while a test ran.

    Attributes:
        word: `caused by` if a rule proves that the problem explains the failure, else `coincided with`.
        fault: whose fault the problem is.
        finding: the problem.
        service: the service that it took away; empty if unknown.
        seconds: seconds from the begin of the problem to the failure.
        links: why it concerns this test, one line each.
    """

    word: Literal["caused by", "coincided with"]
    fault: Fault
    finding: Finding
    service: str = ""
    seconds: float = 0.0
    links: tuple[str, ...] = ()


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """Whose fault a failed test is.

    Attributes:
        nodeid: node id in pytest.
        fault: that of the first cause if it is proven, else `test`.
        causes: problems in the cluster that concern the test, the most likely one first; empty if there are none.
    """

    nodeid: str
    fault: Fault = Fault.TEST
    causes: tuple[Cause, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether a rule proves the cause."""
        return bool(self.causes) and self.causes[0].word == "caused by"


def blame_lines(blame: Blame) -> list[str]:
    """Return two lines for people: the most likely cause, and why it concerns the test; none without a cause."""
    if not blame.causes:
        return []
    cause = blame.causes[0]
    named = f"{cause.finding.subject}: {cause.finding.cause}: {cause.finding.message}, {_ago(cause.seconds)}"
    return [f"{cause.word} {cause.fault}: {named}", f"evidence: {'; '.join(cause.links)}"]


def blame_summary(blames: Sequence[Blame]) -> str:
    """Return one line: `2 failed: 1 test, 1 service (orders OOMKilled at 512Mi, 3 s before)`; empty without causes.

    Args:
        blames: one for each failed test.
    """
    if not any(each.causes for each in blames):
        return ""
    parts = []
    proven = [each for each in blames if each.proven]
    unclear = [each for each in blames if each.causes and not each.proven]
    if count := len(blames) - len(proven) - len(unclear):
        parts.append(f"{count} test")
    groups = {fault: [each for each in proven if each.fault is fault] for fault in (Fault.SERVICE, Fault.PLATFORM)}
    parts += [f"{len(group)} {fault} ({_causes(group)})" for fault, group in groups.items() if group]
    if unclear:
        parts.append(f"{len(unclear)} unclear (coincided with {_causes(unclear)})")
    return f"{len(blames)} failed: {', '.join(parts)}"


def is_platform_only(blames: Sequence[Blame]) -> bool:
    """Return whether there are failed tests, and all of them are proven to be caused by the platform."""
    return bool(blames) and all(each.proven and each.fault is Fault.PLATFORM for each in blames)


def _causes(blames: Sequence[Blame]) -> str:
    return "; ".join(dict.fromkeys(_brief(each.causes[0]) for each in blames))


def _brief(cause: Cause) -> str:
    subject = cause.finding.subject
    return f"{cause.service or subject.name} {cause.finding.brief or cause.finding.cause}, {_ago(cause.seconds)}"


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s before" if seconds >= 1 else "less than 1 s before"
