"""Split the stream from the pod into chunks, and the frame log in them into frames, with limits. Pure.

The formats are described where they are written: `agent/tail.py`, `agent/frame_log.py`, `agent/plugin.py`. `decoder.py`
decodes the records of a frame.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seatrial.pod.agent.wire import CHANNELS, ChunkKind, RecordKind
from seatrial.runner.decoder import CUT, Malformed, Record, decode_records

__all__ = [
    "CI_VARIABLES",
    "CUT",
    "LARGEST",
    "LONGEST_CHUNK",
    "LONGEST_FRAME",
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

CI_VARIABLES: Final = ("CI", "BUILD_NUMBER")
"""If one of them is set, pytest shortens no output: https://docs.pytest.org/en/stable/explanation/ci.html"""
NANO: Final = 1_000_000_000
MICRO: Final = 1_000_000

LONGEST_FRAME: Final = 64 << 20
"""Bytes of the JSON of one frame. Long output of tests is split into pieces; the list of --collect-only is not."""

LONGEST_CHUNK: Final[Mapping[str, int]] = dict.fromkeys(CHANNELS, 1 << 20)
"""Bytes of a chunk of a file; the agent sends 256 KiB. Chunks of other kinds are shorter."""

LARGEST: Final[Mapping[str, int]] = {
    ChunkKind.FRAMES: 4 << 30,
    ChunkKind.OUTPUT: 1 << 30,
    ChunkKind.COLLECTED: 1 << 30,
}
"""Bytes of each file of a run that are kept on the host."""

_LONGEST_WORD: Final = 1 << 16

_HEADER: Final = re.compile(rb"#([A-Z.]) (\d{1,18}) (\d{1,9})\n")
_LONGEST_HEADER: Final = 40
_LONGEST_FRAME_HEADER: Final = 40
_PIECES: Final = tuple(kind.encode() for kind in CHANNELS)
_FRAME_HEADER: Final = re.compile(rb"(\d{1,12}) (\d{1,12}) [0-9a-f]{8} ")
_BLOB: Final = f'[["{RecordKind.BLOB}",'.encode()
_FRAME: Final = re.compile(rb"(\d{1,12}) (\d{1,12}) ([0-9a-f]{8}) (.*)", re.DOTALL)


class Garbled(Exception):
    """The stream is not in the format of the agent; request it again from the last good byte."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of the stream: `data` of channel `kind` from `offset`."""

    kind: str
    offset: int
    data: bytes


class ChunkReader:
    """Splits the stream into chunks."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that are complete now.

        Raises:
            Garbled: there are other bytes between chunks, or a chunk is too long.
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
            kind, size = header[1].decode(), int(header[3])
            if size > LONGEST_CHUNK.get(kind, _LONGEST_WORD):
                raise Garbled(f"a chunk {kind} of {size} bytes is longer than the limit")
            end = header.end() + size
            if end > len(self._buffer):
                break
            content = bytes(self._buffer[header.end() : end])
            chunks.append(Chunk(kind, int(header[2]), content))
            start = end
        del self._buffer[:start]
        return chunks

    def rest(self) -> Chunk | None:
        """Return the received part of an incomplete chunk, if it is of a file."""
        header = _HEADER.match(self._buffer)
        if header is None or header[1] not in _PIECES or header.end() == len(self._buffer):
            return None
        return Chunk(header[1].decode(), int(header[2]), bytes(self._buffer[header.end() :]))


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete frame of the log, in its place.

    Attributes:
        index: its number.
        offset: offset of its first byte in the log.
        size: bytes, with its header and the line feed.
        records: its records; empty for pieces of long output, which only the renderer decodes.
    """

    index: int
    offset: int
    size: int
    records: list[Record]


class FrameReader:
    """Reads the frame log and verifies every byte.

    Attributes:
        frames: number of valid frames.
        size: their size in bytes.
        broken: why the rest of the log cannot be trusted; empty if all frames are valid.
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
        """Bytes of an incomplete frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now; none once the log is broken."""
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
        self._check_pending()
        return frames

    def _check_pending(self) -> None:
        """Mark the log as broken if the incomplete frame cannot become valid, and drop its bytes."""
        header = _FRAME_HEADER.match(self._buffer)
        if self.broken:
            pass
        elif header is None:
            if len(self._buffer) > _LONGEST_FRAME_HEADER:
                self._fail(f"frame {self.frames} has no valid header: {bytes(self._buffer[:80])!r}")
        elif int(header[2]) > LONGEST_FRAME:
            self._fail(f"frame {self.frames} has {int(header[2])} bytes, more than {LONGEST_FRAME}")
        elif len(self._buffer) > header.end() + int(header[2]):
            self._fail(f"frame {self.frames} is longer than its header says")
        if self.broken:
            self._buffer.clear()

    def _decode(self, line: bytes) -> Frame | None:
        match = _FRAME.fullmatch(line[:-1])
        if match is None:
            return self._fail(f"frame {self.frames} has no valid header: {line[:80]!r}")
        sequence, length, crc, body = int(match[1]), int(match[2]), int(match[3], 16), match[4]
        if sequence != self.frames:
            return self._fail(f"frame {self.frames} is missing; frame {sequence} arrived")
        if length > LONGEST_FRAME:
            return self._fail(f"frame {sequence} has {length} bytes, more than {LONGEST_FRAME}")
        if length != len(body) or zlib.crc32(body, self._crc) != crc:
            return self._fail(f"frame {self.frames} is damaged")
        if self.blobs or not body.startswith(_BLOB):
            try:
                records = decode_records(body)
            except Malformed as error:
                return self._fail(f"frame {self.frames} has no valid records: {error}")
        else:
            records = []
        frame = Frame(self.frames, self.size, len(line), records)
        self._crc = crc
        self.frames += 1
        self.size += len(line)
        return frame

    def reject(self, reason: str) -> None:
        """Mark the log as broken: later frames are dropped."""
        if not self.broken:
            self._fail(reason)

    def _fail(self, reason: str) -> Frame | None:
        self.broken = reason
        return None
