"""Speak the WebSocket protocol (RFC 6455) as a client: binary messages, answers to pings, no extensions.

It replaces a library because importing one takes 0.25 s of each command.
"""

from __future__ import annotations

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from seatrial.ports import StreamBroken

__all__ = ["HandshakeRefused", "WebSocket"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_MAX_HEADER: Final = 64 * 1024
_READ: Final = 256 * 1024
_WRITE: Final = 1024 * 1024

T = TypeVar("T")


class HandshakeRefused(Exception):
    """The server did not upgrade the connection.

    Attributes:
        status: HTTP status code of the answer.
        body: of the answer, as far as it was received.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.body = body


class WebSocket:
    """One connection. Any number of threads may send, and one may receive.

    Args:
        sock: a connected socket, after the TLS handshake; closed by `close`.
        silence: seconds without data from the server after which the connection counts as lost.
    """

    def __init__(self, sock: socket.socket, *, silence: float) -> None:
        # Non-blocking, with one lock for both directions: OpenSSL does not allow concurrent calls on a connection.
        sock.setblocking(False)
        self._socket = sock
        self._silence = silence
        self._buffer = bytearray()
        self._turn = threading.Lock()
        self._sending = threading.Lock()
        self._closed = False
        self.subprotocol = ""

    def open(self, host: str, target: str, headers: Iterable[tuple[str, str]], subprotocols: Sequence[str]) -> None:
        """Do the opening handshake.

        Raises:
            HandshakeRefused: the server does not upgrade the connection.
            StreamBroken: the connection was lost.
        """
        key = base64.b64encode(os.urandom(16))
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key.decode()}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        self._write("\r\n".join([*lines, "", ""]).encode())
        while (end := self._buffer.find(b"\r\n\r\n")) < 0 and len(self._buffer) < _MAX_HEADER:
            self._fill()
        status, fields = _parse_header(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        # The key shows that a WebSocket server answered. It is not a security feature, and RFC 6455 requires SHA-1.
        expected = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if status != 101 or fields.get("sec-websocket-accept") != expected:  # noqa: PLR2004 - switching protocols
            missing = int(fields.get("content-length", "0")) - len(self._buffer)
            with suppress(StreamBroken):
                while missing > 0:
                    missing -= self._fill()
            raise HandshakeRefused(status, bytes(self._buffer))
        self.subprotocol = fields.get("sec-websocket-protocol", "")

    def send(self, message: bytes) -> None:
        """Send a binary message.

        Raises:
            StreamBroken: the connection was lost.
        """
        self._send_frame(_BINARY, message)

    def receive(self, *, wait: bool = True) -> bytes | None:
        """Return the next message; None once the server has closed the connection.

        Args:
            wait: wait for a message; if False, return an empty one if none has arrived.

        Raises:
            StreamBroken: the connection was lost, or without data for longer than `silence`.
        """
        message = bytearray()
        while True:
            if not wait and not message and self._is_idle():
                return b""
            final, code, payload = self._frame()
            if code == _PING:
                self._send_frame(_PONG, payload)
            elif code == _CLOSE:
                with suppress(StreamBroken):
                    self._send_frame(_CLOSE, payload)
                return None
            elif code in (_CONTINUATION, _TEXT, _BINARY):
                message += payload
                if final:
                    return bytes(message)

    def close(self) -> None:
        """Close the connection, from any thread; wakes the receiving thread."""
        if self._closed:
            return
        with suppress(StreamBroken):
            self._send_frame(_CLOSE, b"\x03\xe8")
        self._closed = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._turn:
            self._socket.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:  # noqa: PLR2004 - RFC 6455, 5.2
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:  # noqa: PLR2004
            (length,) = struct.unpack(">Q", self._take(8))
        return bool(first & 0x80), first & 0x0F, self._take(length)

    def _is_idle(self) -> bool:
        """Whether the connection is open and no unread data has arrived."""
        if self._buffer:
            return False
        try:
            with self._turn:
                self._buffer += self._socket.recv(_READ)
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        except (OSError, ValueError):
            pass
        return False

    def _send_frame(self, code: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:  # noqa: PLR2004
            header = struct.pack(">BB", 0x80 | code, 0x80 | size)
        elif size < 1 << 16:
            header = struct.pack(">BBH", 0x80 | code, 0x80 | 126, size)
        else:
            header = struct.pack(">BBQ", 0x80 | code, 0x80 | 127, size)
        mask = os.urandom(4)
        self._write(header + mask + _masked(payload, mask))

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> int:
        data = self._call(lambda: self._socket.recv(_READ), select.POLLIN)
        if not data:
            raise StreamBroken("the server closed the connection without a close frame")
        self._buffer += data
        return len(data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._sending:
            while view:
                view = view[self._call(partial(self._socket.send, view[:_WRITE]), select.POLLOUT) :]

    def _call(self, call: Callable[[], T], blocked_on: int) -> T:
        """Call a socket function as soon as it does not block."""
        until = time.monotonic() + self._silence
        while True:
            try:
                with self._turn:
                    return call()
            except ssl.SSLWantReadError:
                events = select.POLLIN
            except ssl.SSLWantWriteError:
                events = select.POLLOUT
            except BlockingIOError:
                events = blocked_on
            except (OSError, ValueError) as error:
                raise StreamBroken(str(error)) from error
            self._wait(events, until)

    def _wait(self, events: int, until: float) -> None:
        poll = select.poll()
        try:
            poll.register(self._socket, events)
            # poll() does not always return if another thread closes the socket, so check every second.
            while not poll.poll(1000):
                if self._closed or time.monotonic() > until:
                    raise StreamBroken(
                        "closed by this process" if self._closed else f"no data for {self._silence:.0f} s"
                    )
        except (OSError, ValueError) as error:
            raise StreamBroken(str(error)) from error


def _masked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one integer: a hundred times as fast as byte by byte."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def _parse_header(header: bytes) -> tuple[int, dict[str, str]]:
    status_line, *lines = header.decode("latin-1").split("\r\n")
    parts = status_line.split(" ", 2)
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0, fields
