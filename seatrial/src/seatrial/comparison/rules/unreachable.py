"""Patterns of failed connections and names, as clients of many languages print them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NO_ANSWER", "REFUSED", "UNKNOWN_NAME", "UNREACHABLE"]

REFUSED: Final = re.compile(
    r"connection refused|ECONNREFUSED|Errno 111|connect call failed|connection reset|server closed the connection"
    r"|Connection aborted|RemoteDisconnected",
    re.IGNORECASE,
)
NO_ANSWER: Final = re.compile(
    r"timed? ?out|ETIMEDOUT|no route to host|EHOSTUNREACH|network is unreachable|Errno 110|Errno 113|no answer",
    re.IGNORECASE,
)
UNREACHABLE: Final = re.compile(f"{REFUSED.pattern}|{NO_ANSWER.pattern}|connecterror|could not connect", re.IGNORECASE)
UNKNOWN_NAME: Final = re.compile(
    r"name or service not known|temporary failure in name resolution|nodename nor servname|no address associated"
    r"|getaddrinfo|ENOTFOUND|EAI_AGAIN|NXDOMAIN|no such host|could not (?:resolve|translate) host|unknown ?host"
    r"|failed to resolve|NameResolutionError|gaierror|UnknownHostException",
    re.IGNORECASE,
)
