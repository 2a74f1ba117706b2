"""What comes out of the pod, decoded: chunks of the tail's stream, and in them the frames of the log. Pure.

The formats are described where they are written: `agent/tail.py`, `agent/frames.py`, `agent/plugin.py`.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CI_VARIABLES",
    "CUT",
    "MICRO",
    "NANO",
    "Chunk",
    "ChunkReader",
    "Frame",
    "FrameReader",
    "Garbled",
    "Record",
    "decode_records",
]

Record = list[Any]

CI_VARIABLES: Final = ("CI", "BUILD_NUMBER")
"""pytest shortens nothing where one of them is set: https://docs.pytest.org/en/stable/explanation/ci.html"""
CUT: Final = "\0"
"""Between strings that travel as one."""
NANO: Final = 1_000_000_000
MICRO: Final = 1_000_000

_HEADER: Final = re.compile(rb"#([A-Z.]) (\d{1,18}) (\d{1,9})\n")
_LONGEST_HEADER: Final = 40
_PIECES: Final = (b"F", b"O", b"H")
_FRAME: Final = re.compile(rb"(\d{1,12}) (\d{1,12}) ([0-9a-f]{8}) (.*)", re.DOTALL)


def decode_records(body: bytes) -> Any:
    r"""Return the content of a frame.

    Lone surrogates, which undecodable file names have, become `\udce4`: pytest prints them, but no file takes them.
    """
    records = json.loads(body)
    return _printable(records) if b"\\ud" in body else records


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(each) for name, each in value.items()}
    return value


class Garbled(Exception):
    """The stream is not what the agent writes; ask again from the last good byte."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the tail's stream: `data` of channel `kind` from `offset`."""

    kind: str
    offset: int
    data: bytes


class ChunkReader:
    """Cuts the stream into chunks, however it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that are complete now.

        Raises:
            Garbled: something else is between them.
        """
        self._buffer += data
        chunks: list[Chunk] = []
        start = 0
        while True:
            header = _HEADER.match(self._buffer, start)
            if header is None:
                rest = len(self._buffer) - start
                if rest > _LONGEST_HEADER or (rest and b"\n" in self._buffer[start:]):
                    raise Garbled(f"expected a chunk, found {bytes(self._buffer[start : start + 80])!r}")
                break
            end = header.end() + int(header[3])
            if end > len(self._buffer):
                break
            content = bytes(self._buffer[header.end() : end])
            chunks.append(Chunk(header[1].decode(), int(header[2]), content))
            start = end
        del self._buffer[:start]
        return chunks

    def rest(self) -> Chunk | None:
        """Return what there is of a chunk that will not become whole, if it is a piece of a file."""
        header = _HEADER.match(self._buffer)
        if header is None or header[1] not in _PIECES or header.end() == len(self._buffer):
            return None
        return Chunk(header[1].decode(), int(header[2]), bytes(self._buffer[header.end() :]))


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the log that is whole and in its place.

    Attributes:
        index: its number.
        offset: of its first byte in the log.
        size: with its header and the end of its line.
        records: empty for pieces of long output, which nobody needs before they are shown.
    """

    index: int
    offset: int
    size: int
    records: list[Record]


class FrameReader:
    """Reads the log, verifying every byte.

    Attributes:
        frames: how many frames were good.
        size: how many bytes they have.
        broken: why the log cannot be trusted from there on; empty while all is well.
        blobs: also decode the pieces of long output.
    """

    def __init__(self, *, blobs: bool = False) -> None:
        self.frames = 0
        self.size = 0
        self.broken = ""
        self.blobs = blobs
        self._buffer = bytearray()
        self._crc = 0

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now; nothing any more once the log is broken."""
        if self.broken:
            return []
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while (end := self._buffer.find(b"\n", start)) >= 0:
            line = bytes(self._buffer[start : end + 1])
            frame = self._decode(line)
            if frame is None:
                break
            frames.append(frame)
            start = end + 1
        del self._buffer[:start]
        return frames

    def _decode(self, line: bytes) -> Frame | None:
        match = _FRAME.fullmatch(line[:-1])
        if match is None:
            return self._fail(f"frame {self.frames} is not one: {line[:80]!r}")
        sequence, length, crc, body = int(match[1]), int(match[2]), int(match[3], 16), match[4]
        if sequence != self.frames:
            return self._fail(f"frame {self.frames} is missing, {sequence} came instead")
        if length != len(body) or zlib.crc32(body, self._crc) != crc:
            return self._fail(f"frame {self.frames} is damaged")
        if self.blobs or not body.startswith(b'[["blob",'):
            try:
                records = decode_records(body)
            except ValueError as error:
                return self._fail(f"frame {self.frames} is not JSON: {error}")
            if not isinstance(records, list) or not all(isinstance(each, list) and each for each in records):
                return self._fail(f"frame {self.frames} holds no records")
        else:
            records = []
        frame = Frame(self.frames, self.size, len(line), records)
        self._crc = crc
        self.frames += 1
        self.size += len(line)
        return frame

    def _fail(self, why: str) -> Frame | None:
        self.broken = why
        return None
