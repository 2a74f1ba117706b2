"""One connection whose response is read in pieces, and what it needs of its reader."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from seatrial.adapters.http_reader import ResponseReader

__all__ = ["FORBIDDEN", "GONE", "NOT_FOUND", "REFUSED", "Requests", "Stream", "StreamReader", "message_of"]

REFUSED: Final = 400
"""The lowest HTTP status of an error."""

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
GONE: Final = 410


class Requests(Protocol):
    """What the streams need of the client. `connect` and `headers` may block."""

    def connect(self) -> socket.socket: ...
    def headers(self) -> bytes: ...
    def target(self, path: str, query: Mapping[str, str]) -> str: ...
    def path(self, kind: str, namespace: str, name: str = "") -> str: ...


class StreamReader(Protocol):
    """What reads the streams: `seatrial.adapters.api_streams.ApiStreams`."""

    requests: Requests

    def call(self, function: Callable[[], object], *, after: float = 0.0) -> None: ...
    def open(self, stream: Stream) -> None: ...
    def release(self, stream: Stream) -> None: ...
    def forget(self, stream: Stream) -> None: ...


class Stream:
    """One connection that is read until its response ends.

    Args:
        streams: reads it.
    """

    def __init__(self, streams: StreamReader) -> None:
        self.streams = streams
        self.connection: socket.socket | None = None
        self.reader = ResponseReader()
        self.head = b""
        """Headers of a request, set before the first one."""
        self.closed = False

    def close(self) -> None:
        """End the stream without further callbacks."""
        self.closed = True
        self.streams.forget(self)

    def request(self) -> bytes:
        """Return the next request."""
        path, query = self.asked()
        return f"GET {self.streams.requests.target(path, query)} HTTP/1.1\r\n".encode() + self.head

    def asked(self) -> tuple[str, dict[str, str]]:
        """Return path and query of the next request."""
        raise NotImplementedError

    def received(self, status: int, body: bytes) -> None:
        """Take a part of the response; its first one may be empty."""
        raise NotImplementedError

    def finished(self, status: int) -> None:
        """Take the end of a response."""
        raise NotImplementedError

    def lost(self, reason: str) -> None:
        """Take the end of the connection before that of the response."""
        raise NotImplementedError


def message_of(status: int, body: bytes) -> str:
    """Return the message in the body of a refused request."""
    try:
        return str(msgspec.json.decode(body, type=dict[str, Any])["message"])
    except (msgspec.DecodeError, KeyError):
        return f"HTTP status {status}: {body[:200].decode(errors='replace')}"
