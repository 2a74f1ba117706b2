"""Recognize from the messages of an exception how a connection failed, and which addresses they name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

__all__ = ["FailureKind", "failure_kind", "hosts_in", "split_address"]


class FailureKind(StrEnum):
    """How a test met the cluster when it failed.

    Values:
        refused: nothing listened at the address.
        closed: the other side closed the connection.
        timeout: no answer in time.
        unreachable: no route to the address.
        dns: the name did not resolve.
        not_ready: the fixture `service` found the service not ready.
        server_error: an HTTP status from 500 to 599, or a database that starts or stops.
        api: the Kubernetes API refused or failed.
        other: none of these: an assertion, an exception of the test's own code.
    """

    REFUSED = "refused"
    CLOSED = "closed"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    DNS = "dns"
    NOT_READY = "not ready"
    SERVER_ERROR = "server error"
    API = "api"
    OTHER = "other"


_MESSAGES: Final[dict[FailureKind, tuple[str, ...]]] = {
    FailureKind.NOT_READY: (r"^(?:Failed: )?service \S+ is not ready: ",),
    FailureKind.API: (
        r"exceeded quota", r"is forbidden: ", r"admission webhook", r"failed calling webhook",
        r"cannot create namespace", r"the Kubernetes API", r"kubernetes\.default", r"INSTALLATION FAILED",
    ),
    FailureKind.DNS: (
        r"Name or service not known", r"[Nn]ame resolution", r"could not translate host name", r"nodename nor servname",
        r"No address associated with hostname", r"getaddrinfo failed", r"gaierror", r"NameResolutionError",
        r"Could not resolve host", r"no such host",
    ),
    FailureKind.REFUSED: (r"[Cc]onnection refused", r"ECONNREFUSED", r"\[Errno 111\]", r"ConnectionRefused"),
    FailureKind.CLOSED: (
        r"[Cc]onnection reset", r"ECONNRESET", r"\[Errno 104\]", r"[Bb]roken pipe", r"\[Errno 32\]",
        r"RemoteDisconnected", r"[Ss]erver ?[Dd]isconnected", r"closed (?:the )?connection",
        r"[Cc]onnection (?:was |is )?(?:closed|aborted|lost)", r"terminating connection", r"unexpected(?:ly)? EOF",
        r"EOF occurred", r"IncompleteRead", r"RemoteProtocolError", r"ReadError", r"peer closed", r"SSL SYSCALL error",
    ),
    FailureKind.UNREACHABLE: (
        r"No route to host", r"[Nn]etwork is unreachable", r"\[Errno 113\]", r"\[Errno 101\]", r"EHOSTUNREACH",
    ),
    FailureKind.SERVER_ERROR: (
        r"HTTP Error 5\d\d", r"\b5\d\d Server Error", r"Server error '5\d\d",
        r"\b50[0234] (?:Internal|Bad Gateway|Service|Gateway)", r"status(?: code)?:? 5\d\d\b", r"<Response \[5\d\d",
        r"InternalServerError", r"ServiceUnavailable",
        r"the database system is (?:starting up|shutting down|in recovery)",
    ),
    FailureKind.TIMEOUT: (
        r"[Tt]imed? ?out", r"TimeoutError", r"ETIMEDOUT", r"\[Errno 110\]", r"[Dd]eadline ?[Ee]xceeded",
    ),
}  # fmt: skip
"""Messages of Python's libraries, the most specific kinds first."""

_PATTERNS: Final = tuple((kind, re.compile("|".join(parts), re.MULTILINE)) for kind, parts in _MESSAGES.items())

_SERVER_ERRORS: Final = range(500, 600)

_ADDRESS: Final = re.compile(
    r"""://(?:[^\s/@'"]*@)?(?P<url>[A-Za-z0-9.\-]+|\[[0-9a-fA-F:]+\])(?::(?P<url_port>\d{1,5}))?"""
    r"""|host(?:name)?\s?[=:]?\s?['"](?P<host>[A-Za-z0-9.\-:]+)['"](?:[^\n]{0,40}?port\s?[=:]?\s?(?P<host_port>\d{1,5}))?"""
    r"""|server at ['"](?P<server>[A-Za-z0-9.\-]+)['"](?:(?=[^\n]{0,40}?port (?P<server_port>\d{1,5})))?"""
    r"""|\((?P<ip>\d{1,3}(?:\.\d{1,3}){3})\)(?:, port (?P<ip_port>\d{1,5}))?"""
    r"""|\('(?P<tuple>[A-Za-z0-9.\-:]+)', (?P<tuple_port>\d{1,5})"""
    r"""|\bservice (?P<service>[a-z0-9\-]+) (?:is not ready|does not answer|is not available)"""
    r"""|(?<![\w.\-/])(?P<bare>[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9\-]+)*):(?P<bare_port>\d{2,5})\b"""
)


def failure_kind(error: str, answers: Iterable[tuple[int, str]] = ()) -> FailureKind:
    """Return how a test met the cluster when it failed.

    Args:
        error: messages of its exception.
        answers: status and URL of HTTP responses that it had. One of them counts if the messages name its status.
    """
    for kind, pattern in _PATTERNS:
        if pattern.search(error):
            return kind
    if any(status in _SERVER_ERRORS and re.search(rf"\b{status}\b", error) for status, _ in answers):
        return FailureKind.SERVER_ERROR
    return FailureKind.OTHER


def hosts_in(text: str) -> list[tuple[str, int]]:
    """Return the hosts and ports that a text names in a form that only addresses have; port 0 if it names none."""
    found = []
    for match in _ADDRESS.finditer(text):
        named = {name: value for name, value in match.groupdict().items() if value is not None}
        host = next((value for name, value in named.items() if not name.endswith("port")), "")
        port = next((value for name, value in named.items() if name.endswith("port")), "0")
        if host:
            found.append((host.strip("[]").rstrip("."), int(port)))
    return list(dict.fromkeys(found))


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of a URL or of `host:port`; port 0 if it has none."""
    rest = address.partition("://")[2] or address
    rest = rest.partition("/")[0].rpartition("@")[2]
    host, colon, port = rest.rpartition(":")
    if colon and port.isdigit():
        return host.strip("[]").rstrip("."), int(port)
    return rest.strip("[]").rstrip("."), 0
