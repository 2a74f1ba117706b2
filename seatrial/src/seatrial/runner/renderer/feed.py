"""Read the frame log and the output log of a run while they grow, and merge them in order."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from seatrial.model.blame import Blame
from seatrial.model.errors import ExitCode
from seatrial.model.text import TextFilter
from seatrial.model.verdict import Verdict
from seatrial.pod.agent.wire import RecordKind
from seatrial.runner.decoder import Record, decode_records
from seatrial.runner.protocol import Frame, FrameReader

__all__ = ["Feed", "Output", "RecordPlace", "SessionRecord", "StreamEnd"]

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """The place of a record: offset and size of its frame in the log, and its index in the frame."""

    offset: int
    size: int
    index: int


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A record of the pytest session, with its place."""

    record: Record
    place: RecordPlace


@dataclass(frozen=True, slots=True)
class Output:
    """Output of the run's processes that did not pass through pytest, safe to print; UTF-8."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of the run, with its verdict."""

    verdict: Verdict


class Feed:
    """Iterates over records and output until the end of the run.

    Args:
        frames: path of the local copy of the frame log.
        output: path of the local copy of the output.
        control: lines of JSON: `{"frames": size, "output": size}` for each tick, `{"blame": […]}` before the end of the
            session is shown, `{"end": {…}}` once.

    Attributes:
        blames: whose fault the failed tests are, by node id, as far as it is known.
    """

    def __init__(self, frames: Path, output: Path, control: IO[str]) -> None:
        self._frames_path = frames
        self._output_path = output
        self._control = control
        self._reader = FrameReader(blobs=True)
        self._waiting: deque[Frame] = deque()
        self._read = 0
        self._printed = 0
        self._frames: IO[bytes] | None = None
        self._filter = TextFilter()
        self.blames: dict[str, Blame] = {}

    @property
    def frames(self) -> int:
        """Number of valid frames of the log."""
        return self._reader.frames

    def __iter__(self) -> Iterator[SessionRecord | Output | StreamEnd]:
        try:
            yield from self._events()
        finally:
            if self._frames is not None:
                self._frames.close()

    def _events(self) -> Iterator[SessionRecord | Output | StreamEnd]:
        for line in self._control:
            message = json.loads(line)
            if "end" in message:
                yield from self._tick(None)
                if rest := self._filter.feed(b"", final=True):
                    yield Output(rest.encode())
                yield StreamEnd(msgspec.convert(message["end"], Verdict))
                return
            if "blame" in message:
                self.blames |= {each.nodeid: each for each in msgspec.convert(message["blame"], list[Blame])}
            if "frames" in message:
                yield from self._tick((message["frames"], message["output"]))
        yield StreamEnd(Verdict(exit=ExitCode.INCONCLUSIVE, message="the run was abandoned"))

    def record(self, place: RecordPlace) -> Record:
        """Read a record again from its place."""
        with self._frames_path.open("rb") as file:
            file.seek(place.offset)
            line = file.read(place.size)
        record: Record = decode_records(line.split(b" ", 3)[3])[place.index]
        return record

    def wait(self) -> None:
        """Wait for the next control message."""
        self._control.readline()

    def _tick(self, sizes: tuple[int, int] | None) -> Iterator[SessionRecord | Output]:
        """Yield the new records and output of a tick. Output stays in order with the frames that refer to its size."""
        if self._frames is None and self._frames_path.exists():
            self._frames = self._frames_path.open("rb")
        if self._frames is not None:
            upto = sizes[0] if sizes else os.fstat(self._frames.fileno()).st_size
            while self._read < upto:
                data = self._frames.read(min(_CHUNK, upto - self._read))
                if not data:
                    break
                self._read += len(data)
                self._waiting.extend(self._reader.feed(data))
                yield from self._release(sizes[1] if sizes else None)
        yield from self._release(sizes[1] if sizes else None)
        if not self._waiting:
            yield from self._print_upto(sizes[1] if sizes else None)

    def _release(self, output: int | None) -> Iterator[SessionRecord | Output]:
        while self._waiting:
            frame = self._waiting[0]
            needed = max((record[1] for record in frame.records if record[0] == RecordKind.OUTPUT_SIZE), default=0)
            if output is not None and needed > output:
                return
            if needed:
                yield from self._print_upto(needed)
            self._waiting.popleft()
            for index, record in enumerate(frame.records):
                yield SessionRecord(record, RecordPlace(frame.offset, frame.size, index))

    def _print_upto(self, size: int | None) -> Iterator[Output]:
        if size is not None and size <= self._printed:
            return
        if not self._output_path.exists():
            return
        with self._output_path.open("rb") as file:
            file.seek(self._printed)
            while size is None or self._printed < size:
                data = file.read(_CHUNK if size is None else min(_CHUNK, size - self._printed))
                if not data:
                    return
                self._printed += len(data)
                if text := self._filter.feed(data):
                    yield Output(text.encode())
