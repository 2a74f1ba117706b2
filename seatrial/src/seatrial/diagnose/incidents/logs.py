"""Find problems that containers report in their logs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.model.finding import Finding, ObjectRef

__all__ = ["REPORTED", "LogLine", "log_incidents", "reported_cause"]

_RULES: Final[dict[str, tuple[str, tuple[bytes, ...]]]] = {
    "DiskFull": ("a volume is full", (rb"No space left on device", rb"ENOSPC", rb"disk quota exceeded")),
    "WrongCredentials": (
        "credentials are wrong",
        (
            rb"password authentication failed", rb"authentication failed for user", rb"Access denied for user",
            rb"WRONGPASS", rb"InvalidAccessKeyId", rb"SignatureDoesNotMatch", rb"role \"[^\"]+\" does not exist",
        ),
    ),
    "CertificateExpired": ("a certificate has expired", (rb"certificate has expired", rb"certificate is expired")),
}  # fmt: skip
"""Causes with what they mean and the messages that only they lead to."""

REPORTED: Final = re.compile(b"|".join(part for _, parts in _RULES.values() for part in parts), re.IGNORECASE)
"""Matches a line that reports one of the causes."""

_EACH: Final = {cause: re.compile(b"|".join(parts), re.IGNORECASE) for cause, (_, parts) in _RULES.items()}
_PAUSE: Final = timedelta(seconds=10)
"""Lines within this time are one problem."""

_AFTER: Final = timedelta(seconds=1)
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a container that reports a problem.

    Attributes:
        at: when the container runtime received it.
        uid: uid of the pod.
        text: the line without its time.
    """

    at: datetime
    namespace: str
    pod: str
    uid: str
    container: str
    text: str


def reported_cause(line: bytes) -> str:
    """Return the cause that a line reports; empty if none."""
    return next((cause for cause, pattern in _EACH.items() if pattern.search(line)), "")


def log_incidents(lines: Iterable[LogLine]) -> list[Incident]:
    """Return the problems that lines report, each from its first line to its last one."""
    groups: list[tuple[str, list[LogLine]]] = []
    for line in sorted(lines, key=lambda line: (line.uid, line.container, line.at)):
        cause = reported_cause(line.text.encode())
        if not cause:
            continue
        before = next((lines for name, lines in reversed(groups) if name == cause and _same(lines[-1], line)), None)
        if before is not None:
            before.append(line)
        else:
            groups.append((cause, [line]))
    return [_incident(cause, its) for cause, its in groups]


def _same(before: LogLine, line: LogLine) -> bool:
    container = (before.uid, before.container) == (line.uid, line.container)
    return container and line.at - before.at <= _PAUSE


def _incident(cause: str, lines: list[LogLine]) -> Incident:
    first = lines[0]
    meaning = _RULES[cause][0]
    finding = Finding(
        cause=cause,
        subject=ObjectRef(kind="Pod", name=first.pod, namespace=first.namespace, container=first.container),
        message=f"its log says that {meaning}: {first.text[:_LONGEST]}",
        evidence=tuple(line.text[:_LONGEST] for line in lines[-3:]),
        brief=f"says that {meaning}",
        hint=f"seatrial logs {first.pod}",
    )
    return Incident(
        finding=finding, begin=first.at, end=lines[-1].at + _AFTER, namespace=first.namespace,
        pods=frozenset((first.uid,)),
    )  # fmt: skip
