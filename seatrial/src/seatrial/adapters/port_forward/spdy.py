"""Encode and decode the SPDY/3.1 frames of port forwarding. Pure.

The API server tunnels SPDY through a WebSocket (`SPDY/3.1+portforward.k8s.io`, KEP-4006, on by default since Kubernetes
1.31). Frames: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/. The compressed headers of the server
are not read. Sent headers are compressed without SPDY's dictionary, which the zlib header declares.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

__all__ = ["Frame", "Frames", "Headers", "data_frame", "pong", "reset"]

_CONTROL: Final = 0x8003
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_KINDS: Final = {_SYN_REPLY: "reply", _RST_STREAM: "reset", _PING: "ping", _GOAWAY: "goaway"}
_FIN: Final = 1
_CANCEL: Final = 5
_HEAD: Final = struct.Struct(">II")
_WORD: Final = struct.Struct(">I")

Kind = Literal["data", "reply", "reset", "ping", "goaway", "other"]


class Frame(NamedTuple):
    """A received frame. `stream` is the id of the stream or of the ping; `fin`: the last frame of the stream."""

    kind: Kind
    stream: int
    data: bytes
    fin: bool


class Headers:
    """Creates the SYN_STREAM frames of one connection, which share a compression context."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj()

    def syn_stream(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Return the frame that opens a stream. Header names are in lower case."""
        parts = [_WORD.pack(len(headers))]
        for text in (word for pair in headers.items() for word in pair):
            parts += [_WORD.pack(len(text)), text.encode()]
        block = self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + block)


def data_frame(stream: int, data: bytes | memoryview = b"", *, fin: bool = False) -> bytes:
    """Return a data frame."""
    return _HEAD.pack(stream, (_FIN << 24 if fin else 0) | len(data)) + bytes(data)


def reset(stream: int) -> bytes:
    """Return the frame that cancels a stream."""
    return _control(_RST_STREAM, _HEAD.pack(stream, _CANCEL))


def pong(number: int) -> bytes:
    """Return the answer to a ping: the same frame."""
    return _control(_PING, _WORD.pack(number))


class Frames:
    """Splits received data into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that this data completes."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _HEAD.size:
                first, second = _HEAD.unpack_from(buffer, start)
                end = start + _HEAD.size + (second & 0xFFFFFF)
                if len(buffer) < end:
                    return
                payload = bytes(buffer[start + _HEAD.size : end])
                start = end
                yield _frame(first, second >> 24, payload)
        finally:
            del buffer[:start]


def _frame(first: int, flags: int, payload: bytes) -> Frame:
    fin = bool(flags & _FIN)
    if not first & 0x80000000:
        return Frame("data", first, payload, fin)
    kind: Kind = _KINDS.get(first & 0xFFFF, "other")  # type: ignore[assignment]
    stream = _WORD.unpack_from(payload)[0] if len(payload) >= _WORD.size else 0
    return Frame(kind, stream, payload, fin)


def _control(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(_CONTROL << 16 | kind, len(payload)) + payload
