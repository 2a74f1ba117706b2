"""The result of a TCP connection from the runner pod."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = ["Connection", "Outcome"]


class Outcome(StrEnum):
    """How a connection ended; an active network policy may refuse it or drop its packets."""

    OPEN = "was accepted"
    REFUSED = "was refused"
    TIMED_OUT = "timed out"
    UNREACHABLE = "found no route"
    UNRESOLVED = "found no address"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection.

    Attributes:
        namespace: namespace of the Service that it is for.
        service: name of the Service.
        to: whether it was to the name of the Service, to its address, or to a pod behind it.
        host: name or address.
        port: TCP port.
        outcome: how it ended.
        text: message of the operating system; empty if `outcome` says all.
    """

    namespace: str
    service: str
    to: Literal["name", "address", "pod"]
    host: str
    port: int
    outcome: Outcome
    text: str = ""
