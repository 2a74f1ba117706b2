"""Find the times in the lines of a log, and cut the lines of an interval. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from seatrial.model.text import safe_text, without_color
from seatrial.report.page import LogLine

__all__ = ["TimedLog", "shortened"]

_TIME: Final = re.compile(
    r"\W?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"(?: ?(Z|UTC|GMT)|\s?([+-])(\d\d):?(\d\d))?(?![\d])"
)
_OF_ENGINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ")
"""The time that the kubelet and Docker write before each line, on request."""

_SEVERE: Final = re.compile(
    r"\b(?:error|err|exception|fatal|panic|critical|severe|traceback|fail(?:ed|ure)|refused|denied|killed|oom"
    r"|out of memory|unavailable|timed? ?out|no space left)\b",
    re.IGNORECASE,
)
_LONGEST: Final = 2000
"""Characters of a line that are kept."""


@dataclass(frozen=True, slots=True)
class TimedLog:
    """A log with the times of its lines.

    Attributes:
        lines: the lines, without the time of the kubelet or of Docker.
        times: seconds after the start of the run, of each line, ascending; empty if the log has no times. A line
            without a time has the one of the line before.
    """

    lines: tuple[str, ...]
    times: tuple[float, ...]

    @classmethod
    def read(cls, data: bytes, start: datetime) -> TimedLog:
        """Return a log with times relative to `start`."""
        lines: list[str] = []
        times: list[float] = []
        latest: float | None = None
        for raw in without_color(data.decode(errors="backslashreplace")).splitlines():
            at = _seconds(raw, start)
            if at is not None:
                # A program may print its lines out of order.
                latest = at if latest is None else max(latest, at)
            lines.append(raw[match.end() :] if (match := _OF_ENGINE.match(raw)) else raw)
            times.append(latest if latest is not None else float("-inf"))
        return cls(tuple(lines), tuple(times) if latest is not None else ())

    def between(self, first: float, last: float) -> list[LogLine]:
        """Return the lines of an interval, safe to show; none if the log has no times."""
        if not self.times:
            return []
        begin, end = bisect_left(self.times, first), bisect_left(self.times, last)
        return [self._line(number) for number in range(begin, end)]

    def _line(self, number: int) -> LogLine:
        text = self.lines[number]
        shown = safe_text(text[:_LONGEST]).replace("\n", " ") + ("…" if len(text) > _LONGEST else "")
        at = self.times[number] if self.times and self.times[number] != float("-inf") else None
        return LogLine(at=at, text=shown, severe=bool(_SEVERE.search(shown)))


def shortened(lines: list[LogLine], most: int) -> tuple[tuple[LogLine, ...], int]:
    """Return at most so many lines, severe ones preferred, in their order, and the number of lines left out."""
    if len(lines) <= most:
        return tuple(lines), 0
    severe = [number for number, line in enumerate(lines) if line.severe][: most // 2]
    half = (most - len(severe)) // 2
    numbers = range(len(lines))
    kept = sorted({*severe, *numbers[:half], *numbers[len(lines) - half :]})
    return tuple(lines[number] for number in kept), len(lines) - len(kept)


def _seconds(text: str, start: datetime) -> float | None:
    match = _TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = match.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        at += -offset if sign == "+" else offset
    return (at - start).total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)
