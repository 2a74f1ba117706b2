"""Build pytest reports from records, and drop their large parts once they are shown.

pytest keeps every report until its end: 10,000 reports with 10 KB of output each take 100 MB twice. So the large parts
of a shown report are dropped, and read again from the log when a plugin accesses them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seatrial.model.blame import blame_lines
from seatrial.runner.decoder import Record
from seatrial.runner.protocol import CUT, MICRO, NANO
from seatrial.runner.renderer.feed import Feed, RecordPlace

__all__ = ["ReportBuilder", "TextRepr", "Worker"]

_LARGE = 1024


class Worker:
    """Represents xdist's worker node of a report."""

    def __init__(self, name: str, info: dict[str, Any] | None) -> None:
        self.gateway = type("Gateway", (), {"id": name})()
        if info:
            self.workerinfo = info
        else:
            self._workerinfocache = ""


class TextRepr:
    """Represents an exception that the pod sent as text."""

    def __init__(self, text: str, crash: Any = None, shown: str = "") -> None:
        self.text = text
        self.shown = shown
        self.reprcrash = crash

    def __str__(self) -> str:
        return self.text

    def toterminal(self, writer: Any) -> None:
        """Write the text to the terminal."""
        if self.shown:
            writer.write(self.shown)
        else:
            writer.line(self.text)


class ReportBuilder:
    """Builds reports and drops their large parts."""

    def __init__(self, config: pytest.Config, feed: Feed) -> None:
        self._config = config
        self._feed = feed
        self._current = ""
        self._location: tuple[Any, ...] = ("", None, "")
        self._keywords: dict[str, int] = {}
        self._workers: dict[str, Worker] = {}
        self._blobs: dict[int, list[RecordPlace]] = {}
        self._parked: dict[type, type] = {}
        self._changes: dict[int, dict[str, Any]] = {}
        self._places: dict[int, tuple[RecordPlace, dict[int, list[RecordPlace]]]] = {}
        self._last: tuple[RecordPlace | None, Any] = (None, None)

    def blob(self, record: Record, place: RecordPlace) -> None:
        """Store the place of a piece of long output."""
        self._blobs.setdefault(record[1], []).append(place)

    def worker(self, record: Record) -> None:
        """Store a worker process of xdist."""
        self._workers[record[1]] = Worker(record[1], record[2])

    def started(self, record: Record) -> tuple[str, tuple[Any, ...]]:
        """Return id and location of a starting test."""
        self._current, path, domain = record[1].split(CUT)
        self._location, self._keywords = (path, record[2], domain), {}
        return self._current, self._location

    def plain(self, record: Record) -> tuple[Any, Any]:
        """Return the reports of ["p", …]: setup and call."""
        _, keywords, setup, setup_start, call, call_start = record
        self._keywords = dict.fromkeys(keywords.split(CUT), 1)
        return self._passed("setup", setup, setup_start), self._passed("call", call, call_start)

    def torn_down(self, record: Record) -> Any:
        """Return the report of ["t", …]."""
        return self._passed("teardown", record[1], record[2])

    def report(self, record: Record, place: RecordPlace) -> Any:
        """Return the report of ["report", …] or ["collect", …]."""
        report, blobs = self._make(record[1])
        if record[0] == "report" and record[2:]:
            self._changes[id(report)] = record[2]
        if blobs or place.size > _LARGE:
            self._places[id(report)] = (place, blobs)
        return report

    def change(self, report: Any) -> dict[str, Any] | None:
        """Return, once, the changes that plugins in the pod made to this report when it was shown."""
        return self._changes.pop(id(report), None)

    def park(self, report: Any) -> None:
        """Drop the large parts of a shown report."""
        where = self._places.pop(id(report), None)
        if where is None:
            return
        kind = type(report)
        if kind not in self._parked:
            namespace = {"__getattr__": _loader(self._load), "_to_json": _whole(kind)}
            self._parked[kind] = type(kind.__name__, (kind,), namespace)
        del report.sections
        if not isinstance(report.longrepr, str | None):
            del report.longrepr
        report.seatrial_parked = where
        report.__class__ = self._parked[kind]

    def add_blame(self, report: Any) -> None:
        """Add a section with the cause of a failure, if it is known; a parked report gets it when it is read again."""
        if "sections" in report.__dict__:
            report.sections = [*report.sections, *self._blame(report)]

    def _blame(self, report: Any) -> list[tuple[str, str]]:
        blame = self._feed.blames.get(report.nodeid)
        lines = blame_lines(blame) if blame is not None else []
        return [("seatrial", "\n".join(lines))] if lines else []

    def _load(self, report: Any, name: str) -> Any:
        where = report.__dict__.get("seatrial_parked")
        if where is None or name not in ("sections", "longrepr"):
            raise AttributeError(name)
        place, blobs = where
        if self._last[0] != place:
            record = self._feed.record(place)
            self._last = (place, self._make(record[1], blobs)[0])
        value = getattr(self._last[1], name)
        return [*value, *self._blame(report)] if name == "sections" else value

    def _passed(self, when: str, duration: int, start: int) -> Any:
        make: Any = pytest.TestReport
        return make(
            nodeid=self._current,
            location=self._location,
            keywords=self._keywords,
            outcome="passed",
            longrepr=None,
            when=when,
            duration=duration / NANO,
            start=start / MICRO,
            stop=start / MICRO + duration / NANO,
        )

    def _make(
        self, data: dict[str, Any], blobs: dict[int, list[RecordPlace]] | None = None
    ) -> tuple[Any, dict[int, Any]]:
        """Return a report and the places of its long output."""
        data = dict(data)
        node = data.pop("node", None)
        data["sections"], used = self._sections(data.get("sections") or [], blobs)
        _restore_tuples(data)
        shown = data.pop("$shown", None)
        report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
        if report is None:
            # A type that this pytest does not know: subtests before pytest 9, or of a plugin in the pod.
            kind = pytest.CollectReport if data.get("when", "collect") == "collect" else pytest.TestReport
            report = kind._from_json(data)
        if shown is not None:
            report.longrepr = TextRepr(data["longrepr"], shown=shown)
        if "_subtest.context" in data:
            # Otherwise pytest 9 shows the repr of a repr.
            object.__setattr__(report.context, "kwargs", data["_subtest.context"]["kwargs"])
        if node:
            report.node = self._workers.setdefault(node, Worker(node, None))
        return report, used

    def _sections(
        self, sections: list[Any], blobs: dict[int, list[RecordPlace]] | None
    ) -> tuple[list[tuple[str, str]], dict[int, list[RecordPlace]]]:
        whole, used = [], {}
        for name, content in sections:
            text = content
            if isinstance(content, dict):
                number = content["$blob"]
                places = blobs[number] if blobs is not None else self._blobs.pop(number, [])
                used[number] = places
                text = "".join(self._feed.record(place)[2] for place in places)
            whole.append((name, text))
        return whole, used


def _loader(load: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Return a function: Python passes the report to it, but not to a bound method."""

    def getattr_(report: Any, name: str) -> Any:
        return load(report, name)

    return getattr_


def _whole(kind: Any) -> Any:
    """Return a `_to_json` for parked reports. The original copies `__dict__`, which lacks the large parts."""

    def to_json(report: Any) -> Any:
        fresh = kind.__new__(kind)
        fresh.__dict__.update(report.__dict__)
        fresh.__dict__.pop("seatrial_parked", None)
        fresh.sections, fresh.longrepr = report.sections, report.longrepr
        return fresh._to_json()

    return to_json


def _restore_tuples(data: dict[str, Any]) -> None:
    """Convert lists to the tuples that pytest requires: JSON has only lists."""
    if isinstance(data.get("location"), list):
        data["location"] = tuple(data["location"])
    if isinstance(data.get("longrepr"), list):
        data["longrepr"] = tuple(data["longrepr"])
    if data.get("user_properties"):
        data["user_properties"] = [tuple(each) for each in data["user_properties"]]
