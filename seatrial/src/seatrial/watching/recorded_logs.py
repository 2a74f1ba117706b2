"""Read the recorded logs of containers: lines that report problems, and the last lines before an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seatrial.diagnose.blame import LEAD
from seatrial.diagnose.failed_test import FailedTest
from seatrial.diagnose.incidents.logs import REPORTED, LogLine
from seatrial.model.finding import ObjectRef
from seatrial.model.text import safe_line
from seatrial.model.timeline import LogRecord
from seatrial.model.timeline_index import TimelineIndex

__all__ = ["last_lines", "reported_lines"]

_MOST: Final = 1000
"""Lines of one file that are read."""

_SHOWN: Final = 8
"""Last lines of a container that are evidence of its end."""

_TAIL: Final = 1 << 16
"""Bytes at the end of a log that are read for them."""


def reported_lines(index: TimelineIndex, run_dir: Path, failures: Sequence[FailedTest]) -> Iterator[LogLine]:
    """Yield the lines of all recorded logs that report a problem while tests ran that failed later.

    Args:
        index: the timeline.
        run_dir: the run directory.
        failures: the failed tests.
    """
    if not failures:
        return
    begin, end = min(test.begin for test in failures) - LEAD, max(test.end for test in failures)
    files = {log.file: log for log in index.of(LogRecord)}
    for name, log in files.items():
        found = 0
        for time, text in _lines(run_dir / name):
            if begin <= time <= end and found < _MOST:
                found += 1
                yield LogLine(
                    at=time, namespace=log.namespace, pod=log.pod, uid=log.uid, container=log.container, text=text
                )


def last_lines(index: TimelineIndex, run_dir: Path, subject: ObjectRef, end: datetime) -> tuple[str, ...]:
    """Return the last lines that a container printed before a time; empty if none is recorded.

    Args:
        index: the timeline.
        run_dir: the run directory.
        subject: the container.
        end: the time.
    """
    files = {
        log.file: log.at
        for log in index.of(LogRecord)
        if (log.namespace, log.pod, log.container) == (subject.namespace, subject.name, subject.container)
    }
    lines = []
    for name in files:
        for line in _tail(run_dir / name).split(b"\n"):
            stamp, _, text = line.partition(b" ")
            time = _time(stamp)
            if time is not None and time <= end:
                lines.append((time, safe_line(text.decode("utf-8", "replace"))))
    return tuple(text for _, text in sorted(lines)[-_SHOWN:])


def _tail(path: Path) -> bytes:
    """Return the last part of a file; empty if it was removed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            return file.read()
    except OSError:
        return b""


def _lines(path: Path) -> Iterator[tuple[datetime, str]]:
    """Yield time and text of the lines that report a problem. A file may have been removed."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    for match in REPORTED.finditer(data):
        start = data.rfind(b"\n", 0, match.start()) + 1
        end = data.find(b"\n", match.end())
        stamp, _, text = data[start : end if end >= 0 else len(data)].partition(b" ")
        if (time := _time(stamp)) is not None:
            yield time, safe_line(text.decode("utf-8", "replace"))


def _time(stamp: bytes) -> datetime | None:
    """Return the time of RFC 3339 at the beginning of a line; None if the line has no time."""
    text = stamp.decode("ascii", "replace").removesuffix("Z")
    whole, _, fraction = text.partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}").replace(tzinfo=UTC)
    except ValueError:
        return None
