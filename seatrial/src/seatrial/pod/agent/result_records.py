"""The records of tests: short ones for what passed with nothing to tell, pytest's own serialisation for all others.

10,000 empty tests take pytest half a millisecond each, so what is done for each of them is done in one burst, when the
next one begins. On the disk at once are: that a test begins, before anything of it happens; every result that is not
plain; every pass that took longer than 5 ms. A quick plain pass is written with the next test's begin; if the process
dies in between, that test was the one that was running, and is named.

The second part of a long record may have
outcome, longrepr   what became of the report while it was shown: pytest then fails a test for its failed subtests
status              category, letter and word, if a plugin other than pytest's own decided them

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import collections
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Callable

import pytest

from .frame_log import FrameWriter
from .report_json import Statuses, report_json
from .session_records import safe_json
from .wire import RecordKind

__all__ = ["Tests"]

_STARTED, _PASSED = RecordKind.TEST_STARTED, RecordKind.TEST_PASSED
_TORN_DOWN, _FINISHED = RecordKind.TEARDOWN_PASSED, RecordKind.TEST_FINISHED
_CUT = "\0"
_NANO, _MICRO = 1_000_000_000, 1_000_000
_QUICK = 0.005
_BOTH = 2
_CUTS = 2
_LONG = 1 << 14
_PIECE = 1 << 17


def _printable(name: str) -> str:
    r"""Return a name without NUL, which cuts records: `\x00` as pytest writes it in ids. Any string names a test."""
    return name.replace(_CUT, "\\x00") if _CUT in name else name


def _report(data: dict[str, Any]) -> Any:
    """Return a report made of the attributes of one."""
    report = pytest.TestReport.__new__(pytest.TestReport)
    report.__dict__.update(data)
    return report


class Tests:
    """Hooks of one test after the other.

    Attributes:
        tally: how many reports of each phase, outcome and kind have been written.
        behind: records that belong behind the report that is being shown.
    """

    def __init__(
        self, config: pytest.Config, out: FrameWriter, flush: Callable[[], None], news: Callable[[], None]
    ) -> None:
        self.tally: collections.Counter[str] = collections.Counter()
        self.behind: list[str] = []
        self.statuses = Statuses(config)
        self._config = config
        self._out = out
        self._flush = flush
        self._news = news
        make: Any = pytest.TestReport
        self._attributes = len(make("a", ("a", 0, "a"), {}, "passed", None, "call").__dict__)
        self._distributed = getattr(config.option, "dist", "no") != "no"
        self._first = True
        self._location: Any = None
        self._kept: list[dict[str, Any]] = []
        self._over = False
        self._failed_subtests: set[str] = set()
        self._workers: set[str] = set()
        self._blobs = 0
        self._plain = 0
        self._torn_down = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """Write that a test begins, before anything of it happens."""
        add = self._out.add
        if self._kept:
            self.settle()
        if self._first or self._distributed:
            self._first = False
            self._news()
        self._location = location
        path, line, domain = location
        # One string, because quoting three takes three times as long.
        name = f"{nodeid}{_CUT}{path}{_CUT}{domain}"
        if name.count(_CUT) != _CUTS:
            name = _CUT.join(_printable(part) for part in (nodeid, path, domain))
        add(f'["{_STARTED}",{quoted(name)},{line}]' if line.__class__ is int else safe_json((_STARTED, name, line)))
        self._flush()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write a report, or keep it until there is something to write it with."""
        data = report.__dict__
        if (
            data["outcome"] == "passed"
            and data["location"] is self._location
            and report.__class__ is pytest.TestReport
            and self.statuses.quiet
            and not self.behind
        ):
            kept, when = self._kept, data["when"]
            if when == "setup" and not kept:
                kept.append(data)
                return
            if when == "call" and len(kept) == 1:
                kept.append(data)
                if data["duration"] > _QUICK or kept[0]["duration"] > _QUICK:
                    self.settle()
                    self._flush()
                return
            if when == "teardown" and (len(kept) == _BOTH or not kept):
                kept.append(data)
                self._over = True
                return
        self._write(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write that a test is over; if its tear-down is kept, the two are written together."""
        if self._over:
            return
        self.settle()
        self._out.add(f'["{_FINISHED}",{quoted(_printable(nodeid))}]')
        if self._distributed:
            # Otherwise the next test begins at once, or the session ends.
            self._flush()

    def settle(self) -> None:
        """Let go of what is kept."""
        kept, self._kept = self._kept, []
        over, self._over = self._over, False
        add, plain = self._out.add, self._is_plain
        calls = kept[:-1] if over else kept
        if (
            len(calls) == _BOTH
            and plain(calls[0])
            and plain(calls[1])
            and len(calls[0]["keywords"]) == len(calls[1]["keywords"])
        ):
            setup, call = calls
            self._plain += 1
            keywords = quoted(_CUT.join(map(_printable, setup["keywords"])))
            add(
                f'["{_PASSED}",{keywords},{int(setup["duration"] * _NANO)},'
                f"{int(setup.get('start', 0) * _MICRO)},{int(call['duration'] * _NANO)},"
                f"{int(call.get('start', 0) * _MICRO)}]"
            )
        else:
            for data in calls:
                self._serialise(_report(data))
        if over:
            data = kept[-1]
            if not plain(data):
                self._serialise(_report(data))
                add(f'["{_FINISHED}",{quoted(_printable(_report(data).nodeid))}]')
                return
            self._torn_down += 1
            add(f'["{_TORN_DOWN}",{int(data["duration"] * _NANO)},{int(data.get("start", 0) * _MICRO)}]')

    def _is_plain(self, data: dict[str, Any]) -> bool:
        """Return whether there is nothing to tell of a report that passed but that it did."""
        return (
            not data["sections"]
            and not data["user_properties"]
            and data["longrepr"] is None
            and len(data) == self._attributes
        )

    def counts(self) -> dict[str, int]:
        """Return how many reports of each phase, outcome and kind have been written."""
        counted = collections.Counter(self.tally)
        for phase in ("setup", "call"):
            counted[f"{phase}/passed/"] += self._plain
        counted["teardown/passed/"] += self._torn_down
        return {name: count for name, count in counted.items() if count}

    def _write(self, report: Any) -> None:
        self.settle()
        self._serialise(report)
        for record in self.behind:
            # What other plugins wrote while they showed it.
            self._out.add(record)
        self.behind.clear()
        self._flush()

    def _serialise(self, report: Any) -> None:
        status = self.statuses.of(report)
        data = report_json(self._config, report)
        data["nodeid"] = _printable(report.nodeid)
        more: dict[str, Any] = {"status": status} if status else {}
        if data.get("_report_type") == "SubTestReport":
            if report.failed:
                self._failed_subtests.add(report.nodeid)
        elif report.nodeid in self._failed_subtests and report.when == "call" and isinstance(report.longrepr, str):
            # pytest fails a test for its subtests at the moment when its result is shown; so will the host's.
            more.update(outcome=report.outcome, longrepr=report.longrepr)
            data.update(outcome="passed", longrepr=None)
        self.tally[f"{report.when}/{data['outcome']}/{'x' if hasattr(report, 'wasxfail') else ''}"] += 1
        node = data.get("node")
        if node and node not in self._workers:
            self._workers.add(node)
            self._out.add(safe_json((RecordKind.WORKER, node, getattr(report.node, "workerinfo", None))))
        data["sections"] = [[name, self._content(content)] for name, content in data.get("sections") or ()]
        self._out.add(safe_json((RecordKind.REPORT, data, more) if more else (RecordKind.REPORT, data)))

    def _content(self, content: Any) -> Any:
        if not isinstance(content, str) or len(content) <= _LONG:
            return content
        self._blobs += 1
        for start in range(0, len(content), _PIECE):
            # Each in a frame of its own, which only whoever shows it has to decode.
            self._out.alone(safe_json((RecordKind.BLOB, self._blobs, content[start : start + _PIECE])))
        return {"$blob": self._blobs}
