"""Write the records of test results: short ones for passed tests without output, serialized reports for all others.

pytest runs 10,000 empty tests in half a millisecond each, so the records of a test are written together, when the next
test starts. Written immediately are the start of a test, every result that is not plain, and every pass that took more
than 5 ms. A quick plain pass is written at the start of the next test. If the process is killed in between, that test
counts as the running one.

The second part of a `report` record may have
outcome, longrepr   values that pytest changed while it showed the report, because subtests failed
status              category, letter and word, if a plugin other than pytest's own set them
context             services, namespaces, addresses and HTTP answers of a failed phase: see `failure_context.py`

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import collections
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Callable

import pytest

from .failure_context import ATTRIBUTE
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
    r"""Return a name with `\x00` instead of NUL, which separates fields. Test ids may contain any character."""
    return name.replace(_CUT, "\\x00") if _CUT in name else name


def _report(data: dict[str, Any]) -> Any:
    """Return a report with these attributes."""
    report = pytest.TestReport.__new__(pytest.TestReport)
    report.__dict__.update(data)
    return report


class Tests:
    """The hooks that receive test results.

    Attributes:
        tally: number of written reports by phase, outcome and kind.
        behind: records to write after the report that is being shown.
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
        """Write the start of a test, before its set-up."""
        add = self._out.add
        if self._kept:
            self.settle()
        if self._first or self._distributed:
            self._first = False
            self._news()
        self._location = location
        path, line, domain = location
        # One string, because quoting three strings takes three times as long.
        name = f"{nodeid}{_CUT}{path}{_CUT}{domain}"
        if name.count(_CUT) != _CUTS:
            name = _CUT.join(_printable(part) for part in (nodeid, path, domain))
        add(f'["{_STARTED}",{quoted(name)},{line}]' if line.__class__ is int else safe_json((_STARTED, name, line)))
        self._flush()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write a report, or defer a plain one."""
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
        """Write the end of a test; a deferred tear-down is written together with it later."""
        if self._over:
            return
        self.settle()
        self._out.add(f'["{_FINISHED}",{quoted(_printable(nodeid))}]')
        if self._distributed:
            # Without xdist, the next test starts at once, or the session ends.
            self._flush()

    def settle(self) -> None:
        """Write the deferred reports."""
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
                self._serialize(_report(data))
        if over:
            data = kept[-1]
            if not plain(data):
                self._serialize(_report(data))
                add(f'["{_FINISHED}",{quoted(_printable(_report(data).nodeid))}]')
                return
            self._torn_down += 1
            add(f'["{_TORN_DOWN}",{int(data["duration"] * _NANO)},{int(data.get("start", 0) * _MICRO)}]')

    def _is_plain(self, data: dict[str, Any]) -> bool:
        """Return whether a passed report has no output, properties or attributes of plugins."""
        return (
            not data["sections"]
            and not data["user_properties"]
            and data["longrepr"] is None
            and len(data) == self._attributes
        )

    def counts(self) -> dict[str, int]:
        """Return the number of written reports by phase, outcome and kind."""
        counted = collections.Counter(self.tally)
        for phase in ("setup", "call"):
            counted[f"{phase}/passed/"] += self._plain
        counted["teardown/passed/"] += self._torn_down
        return {name: count for name, count in counted.items() if count}

    def _write(self, report: Any) -> None:
        self.settle()
        self._serialize(report)
        for record in self.behind:
            # Text that other plugins wrote while the report was shown.
            self._out.add(record)
        self.behind.clear()
        self._flush()

    def _serialize(self, report: Any) -> None:
        status = self.statuses.of(report)
        data = report_json(self._config, report)
        data["nodeid"] = _printable(report.nodeid)
        more: dict[str, Any] = {"status": status} if status else {}
        if context := data.pop(ATTRIBUTE, None):
            more["context"] = context
        if data.get("_report_type") == "SubTestReport":
            if report.failed:
                self._failed_subtests.add(report.nodeid)
        elif report.nodeid in self._failed_subtests and report.when == "call" and isinstance(report.longrepr, str):
            # pytest fails a test for its subtests when it shows the result. pytest on the host does the same.
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
            # Each piece has a separate frame, which is decoded only to show it.
            self._out.alone(safe_json((RecordKind.BLOB, self._blobs, content[start : start + _PIECE])))
        return {"$blob": self._blobs}
