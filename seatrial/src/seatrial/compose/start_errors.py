"""Find the cause in the output of a failed `docker compose up`. Pure."""

from __future__ import annotations

import re
from typing import Final

from seatrial.model.finding import Finding, ObjectRef

__all__ = ["explain_start"]

_CAUSES: Final = (
    (
        re.compile(r"port is already allocated|address already in use|ports are not available"),
        "PortTaken",
        "a host port is in use",
        "find the program: ss -ltnp; or set compose.host-ports = false",
    ),
    (
        re.compile(
            r"pull access denied|manifest (?:for .* not found|unknown)|not found: manifest|no such image"
            r"|failed to resolve reference|repository does not exist|no such host",
            re.IGNORECASE,
        ),
        "ImagePull",
        "an image is not on the engine and cannot be pulled",
        "check its name and tag: docker compose config --images",
    ),
    (
        re.compile(r"dependency failed to start|didn't complete successfully|dependency .* failed"),
        "DependencyFailed",
        "a service that others depend on failed",
        "read the end of its log",
    ),
    (
        re.compile(r"non-overlapping IPv4 address pool|address pools have been fully subnetted"),
        "NoAddressPool",
        "the engine has no free address range for another network",
        "remove networks that are not used: docker network ls",
    ),
    (
        re.compile(r"invalid mount config|bind source path does not exist|not a directory.*mount"),
        "Mount",
        "a file or folder cannot be mounted",
        "check the volumes of the service",
    ),
)
_NAMED: Final = re.compile(r"(?:Container|container|Image|service) \"?([\w./:@-]+)\"?")


def explain_start(output: str) -> list[Finding]:
    """Return the causes that the output of Compose names, the first one that it printed first."""
    found: list[Finding] = []
    for line in output.splitlines():
        for pattern, cause, message, hint in _CAUSES:
            if pattern.search(line) and all(each.cause != cause for each in found):
                named = _NAMED.search(line)
                subject = ObjectRef(kind="Service", name=named[1] if named else "compose")
                found.append(
                    Finding(
                        cause=cause, subject=subject, message=message, evidence=(line.strip(),), hint=hint, fatal=True
                    )
                )
    return found
