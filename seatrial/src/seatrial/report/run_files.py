"""Read the files of a run directory, which may come from another machine: no links, no devices, with size limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from seatrial.model.environment_facts import EnvironmentFacts
from seatrial.model.event import Event, decode_event
from seatrial.model.result import RunResult
from seatrial.model.timeline import TIMELINE_FILE, Record, decode_timeline
from seatrial.report.page import FileLink
from seatrial.report.session import Session
from seatrial.runner.protocol import Frame, FrameReader

__all__ = ["PARTS", "REPORT_FILE", "LogFile", "RunFiles"]

REPORT_FILE: Final = "report.html"
"""File name of the page in the run directory."""

PARTS: Final = "report-files"
"""Directory beside the page for details of failures that do not fit into it."""

_LARGEST: Final = 256 << 20
"""Bytes of a file that are read."""

_LARGEST_LOG: Final = 16 << 20
"""Bytes of a log that are read: its end."""

_MOST_FILES: Final = 2000
_POD_LOG_PARTS: Final = 5
"""Parts of `logs/pods/NAMESPACE/POD/CONTAINER.log`."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log of a container.

    Attributes:
        path: relative to the run directory.
        namespace: empty for a container of Docker Compose.
        pod: the same.
        container: its name; in Docker Compose, that of its service.
        restarts: which run of the container: its restarts before.
    """

    path: str
    namespace: str
    pod: str
    container: str
    restarts: int = 0


class RunFiles:
    """The files of a run.

    Args:
        directory: the run directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._links: tuple[FileLink, ...] | None = None

    def result(self) -> RunResult | None:
        """Return `result.json`; None if it is missing or of another version."""
        return self._decoded("result.json", RunResult)

    def facts(self) -> EnvironmentFacts | None:
        """Return `facts.json`; None if it is missing or of another version."""
        return self._decoded("facts.json", EnvironmentFacts)

    def events(self) -> Iterator[Event]:
        """Yield the events that this version knows."""
        for line in self.read("events.jsonl").splitlines():
            try:
                yield decode_event(line)
            except msgspec.DecodeError:
                continue

    def session(self) -> Session:
        """Return what pytest reported; what is damaged is left out."""
        session, data = Session(), self.read("frames")
        pieces: list[Frame] = []
        for frame in FrameReader().feed(data):
            if not frame.records:
                # A piece of long output; the report that follows it has the output.
                pieces.append(frame)
                continue
            session.take(frame.records, [_body(data, piece) for piece in pieces])
            pieces.clear()
        return session

    def timeline(self) -> list[Record]:
        """Return the records of the cluster; none if it was not recorded."""
        return decode_timeline(self.read(TIMELINE_FILE))

    def log(self, file: LogFile) -> bytes:
        """Return a log; of a long one, its end."""
        return self.read(file.path, limit=_LARGEST_LOG, end=True)

    def pod_logs(self) -> list[LogFile]:
        """Return the logs of containers that the collect stage wrote."""
        found = []
        for link in self.links():
            parts = link.path.split("/")
            container = parts[-1].removesuffix(".log")
            if parts[:2] == ["logs", "pods"] and len(parts) == _POD_LOG_PARTS:
                found.append(LogFile(link.path, parts[2], parts[3], container))
            elif parts[:2] == ["logs", "compose"]:
                found.append(LogFile(link.path, "", "", container))
        return found

    def links(self) -> tuple[FileLink, ...]:
        """Return the regular files of the run without its report, the first thousands of them."""
        if self._links is None:
            self._links = tuple(self._walk())
        return self._links

    def read(self, name: str, *, limit: int = _LARGEST, end: bool = False) -> bytes:
        """Return the bytes of a regular file; empty if it does not exist.

        Args:
            name: path relative to the run directory.
            limit: bytes to read at most.
            end: read the end of a longer file; else its beginning.
        """
        try:
            descriptor = os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return b""
        with os.fdopen(descriptor, "rb") as file:
            if end and status.st_size > limit:
                file.seek(status.st_size - limit)
            return file.read(limit)

    def _decoded(self, name: str, kind: type[_T]) -> _T | None:
        try:
            return msgspec.json.decode(self.read(name), type=kind)
        except msgspec.DecodeError:
            return None

    def _walk(self) -> Iterator[FileLink]:
        count = 0
        for folder, folders, names in os.walk(self.directory):
            folders[:] = sorted(each for each in folders if each != PARTS)
            for name in sorted(names):
                if name == REPORT_FILE and folder == str(self.directory):
                    continue
                path = Path(folder) / name
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode):
                    continue
                yield FileLink(path=path.relative_to(self.directory).as_posix(), size=status.st_size)
                count += 1
                if count == _MOST_FILES:
                    return


def _body(data: bytes, frame: Frame) -> bytes:
    """Return the JSON of a frame."""
    return data[frame.offset : frame.offset + frame.size - 1].split(b" ", 3)[3]
