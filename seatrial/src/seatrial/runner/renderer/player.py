"""Call pytest's hooks on the host with the records of the hooks in the pod."""

from __future__ import annotations

import builtins
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import pytest

from seatrial.model.verdict import Verdict
from seatrial.pod.agent.wire import RecordKind
from seatrial.runner.decoder import Record
from seatrial.runner.renderer.feed import Feed, Output, RecordPlace, SessionRecord, StreamEnd
from seatrial.runner.renderer.junit import Junit
from seatrial.runner.renderer.named_files import name_files
from seatrial.runner.renderer.report_builder import ReportBuilder, TextRepr

__all__ = ["Player"]

_SUMMARY, _AFTER = 1, 2


class _Item(pytest.Item):
    """Represents a collected test: pytest counts these items, and prints them for --collect-only."""

    chain: tuple[_Item, ...] = ()
    shown = ""
    address = ""
    obj: Any = None

    @property
    def nodeid(self) -> str:
        return self.address

    @property
    def id(self) -> Any:
        """The parsed node id, which pytest 9.2 and newer use."""
        from _pytest.nodeid import NodeId  # noqa: PLC0415

        return NodeId.parse(self.address)

    def listchain(self) -> list[Any]:
        return [None, *self.chain]

    def __repr__(self) -> str:
        return self.shown

    def runtest(self) -> None:
        raise NotImplementedError


class _Interrupt:
    """Represents the ExceptionInfo of the exception that interrupted pytest in the pod."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.typename = data["type"]
        self._repr = TextRepr(data["text"], _Crash(data["path"], data["line"], data["message"]))

    def getrepr(self, **_: Any) -> TextRepr:
        return self._repr


class _Crash:
    """Represents the location of an exception."""

    def __init__(self, path: str, line: int, message: str) -> None:
        self.path, self.lineno, self.message = path, line, message

    def toterminal(self, writer: Any) -> None:
        writer.write(self.path, bold=True, red=True)
        writer.line(f":{self.lineno}: {self.message.partition(chr(10))[0]}")


class Player:
    """Calls the hooks of one pytest session.

    Attributes:
        reports: builds the reports.
        lines: lines that plugins in the pod print after the collection.
    """

    def __init__(
        self,
        config: pytest.Config,
        session: pytest.Session,
        told: dict[str, Any],
        *,
        terminal: Any,
        feed: Feed,
        junit: Junit | None,
        where: str,
        files: Mapping[str, str],
        reply: int | None,
    ) -> None:
        self.config = config
        self.session = session
        self.told = told
        self.terminal = terminal
        self.feed = feed
        self.junit = junit
        self.where = where
        self.files = files
        self.reply = reply
        self.reports = ReportBuilder(config, feed)
        self.lines: list[Any] = []
        self._begun = False
        self._over = False
        self._late: dict[int, list[str]] = {_SUMMARY: [], _AFTER: []}
        self._finishing: tuple[int, str, str] = (0, "", "")
        self._locations: dict[str, tuple[Any, ...]] = {}

    def play(self, event: SessionRecord | Output | StreamEnd) -> bool:
        """Handle one event; return whether it was the last."""
        if isinstance(event, Output):
            self._print(event.data)
        elif isinstance(event, StreamEnd):
            if not self._over:
                self._abort(event.verdict)
            return True
        else:
            kind = event.record[0]
            handler = _HANDLERS.get(kind)
            if handler is not None:
                if kind not in (RecordKind.TEXT, RecordKind.WARNING):
                    self._begin()
                handler(self, event.record, event.place)
        return False

    def write_summary(self) -> None:
        """Write the texts that plugins in the pod wrote into the summary."""
        for text in self._late[_SUMMARY]:
            self._write(text)
        self._late[_SUMMARY].clear()

    def after(self) -> None:
        """Write the texts that plugins in the pod wrote after the summary."""
        for text in self._late[_AFTER]:
            self._write(text)
        self.terminal._tw.flush()

    # Records.

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.session.exitstatus = pytest.ExitCode.OK
            self.config.hook.pytest_sessionstart(session=self.session)

    def _header(self, record: Record, _place: RecordPlace) -> None:
        if self.terminal.verbosity < 0 or self.told["options"].get("no_header"):
            return
        self.terminal.write_line(self.told["platform"])
        if self.where:
            self.terminal.write_line(f"runs in: {self.where}")
        for lines in reversed(record[1]):
            for line in [lines] if isinstance(lines, str) else lines:
                self.terminal.write_line(line)

    def _collecting(self, _record: Record, _place: RecordPlace) -> None:
        self.terminal.pytest_collection()

    def _collect(self, record: Record, place: RecordPlace) -> None:
        report = self.reports.report(record, place)
        item = object.__new__(_Item)
        report.result = [item] * record[2]
        self.config.hook.pytest_collectreport(report=report)
        report.result = []
        self.reports.park(report)

    def _deselected(self, record: Record, _place: RecordPlace) -> None:
        self.config.hook.pytest_deselected(items=[object.__new__(_Item)] * record[1])

    def _collected(self, record: Record, _place: RecordPlace) -> None:
        _, count, _, tree, self.lines = record
        self.session.testscollected = count
        self.session.items = [_item(chain) for chain in tree]
        self.config.hook.pytest_collection_finish(session=self.session)

    def _verbose(self, record: Record, _place: RecordPlace) -> None:
        self.config.option.verbose = record[1]

    def _count(self, record: Record, _place: RecordPlace) -> None:
        self.session.testscollected = record[1]

    def _start(self, record: Record, _place: RecordPlace) -> None:
        nodeid, location = self.reports.started(record)
        self._locations[nodeid] = location
        self.config.hook.pytest_runtest_logstart(nodeid=nodeid, location=location)

    def _finish(self, record: Record, _place: RecordPlace) -> None:
        location = self._locations.pop(record[1], ("", None, ""))
        self.config.hook.pytest_runtest_logfinish(nodeid=record[1], location=location)

    def _plain(self, record: Record, _place: RecordPlace) -> None:
        for report in self.reports.plain(record):
            self.config.hook.pytest_runtest_logreport(report=report)

    def _torn_down(self, record: Record, place: RecordPlace) -> None:
        report = self.reports.torn_down(record)
        self.config.hook.pytest_runtest_logreport(report=report)
        self._finish([RecordKind.TEST_FINISHED, report.nodeid], place)

    def _report(self, record: Record, place: RecordPlace) -> None:
        report = self.reports.report(record, place)
        self.config.hook.pytest_runtest_logreport(report=report)
        self.reports.park(report)

    def _worker(self, record: Record, _place: RecordPlace) -> None:
        self.reports.worker(record)

    def _blob(self, record: Record, place: RecordPlace) -> None:
        self.reports.blob(record, place)

    def _warning(self, record: Record, _place: RecordPlace) -> None:
        data = record[1]
        category = getattr(builtins, data["category"], None)
        if not (isinstance(category, type) and issubclass(category, Warning)):
            category = type(data["category"], (Warning,), {})
        message = warnings.WarningMessage(
            data["text"], category, data["filename"], data["lineno"], line=_source(data["line"], data["suffix"])
        )
        location = tuple(data["location"]) if data["location"] else None
        self.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": message, "when": data["when"], "nodeid": data["nodeid"], "location": location,
            }
        )  # fmt: skip

    def _text(self, record: Record, _place: RecordPlace) -> None:
        _, text, phase, place = record
        text = name_files(text, self.files, self.terminal._tw.fullwidth)
        if phase in self._late and not (phase == _AFTER and self._over):
            self._late[phase].append(text)
            return
        self._write(text)
        if place != 0:
            self.terminal.currentfspath = place

    def _interrupt(self, record: Record, _place: RecordPlace) -> None:
        self.config.hook.pytest_keyboard_interrupt(excinfo=_Interrupt(record[1]))

    def _internal(self, record: Record, _place: RecordPlace) -> None:
        self.config.hook.pytest_internalerror(excrepr=TextRepr(record[1]), excinfo=None)

    def _looped(self, _record: Record, _place: RecordPlace) -> None:
        self.config.hook.pytest_runtestloop(session=self.session)

    def _property(self, record: Record, _place: RecordPlace) -> None:
        if self.junit:
            self.junit.property(record[1], record[2])

    def _attribute(self, record: Record, _place: RecordPlace) -> None:
        if self.junit:
            self.junit.attribute(record[1], record[2], record[3])

    def _debugger(self, _record: Record, _place: RecordPlace) -> None:
        if self.reply is None:
            return
        self.terminal._tw.flush()
        os.write(self.reply, b"debugger\n")
        self.feed.wait()

    def _finish_session(self, record: Record, _place: RecordPlace) -> None:
        self._finishing = (record[1], record[2], record[3])

    def _end(self, record: Record, _place: RecordPlace) -> None:
        self._end_session(record[1].get("seconds"))

    def _end_session(self, seconds: float | None) -> None:
        exitstatus, shouldfail, shouldstop = self._finishing
        if shouldfail:
            self.session.shouldfail = shouldfail
        if shouldstop:
            self.session.shouldstop = shouldstop
        if seconds is not None and hasattr(self.terminal, "_session_start"):
            self.terminal._session_start = _Elapsed(seconds)
        self.session.exitstatus = exitstatus
        self._add_blames()
        self.config.hook.pytest_sessionfinish(session=self.session, exitstatus=exitstatus)
        self._over = True

    def _add_blames(self) -> None:
        """Add what is known of the causes of failures to the summary and the JUnit file."""
        if not self.feed.blames:
            return
        for category in ("failed", "error"):
            for report in self.terminal.stats.get(category, ()):
                self.reports.add_blame(report)
        if self.junit:
            for blame in self.feed.blames.values():
                self.junit.blame(blame)

    def _abort(self, verdict: Verdict) -> None:
        """End a session without an end record: report the suspects as failed, as xdist does for a crashed worker."""
        self._begin()
        for nodeid in verdict.suspects:
            location = self._locations.get(nodeid) or (nodeid.partition("::")[0], None, nodeid)
            make: Any = pytest.TestReport
            report = make(
                nodeid=nodeid,
                location=location,
                keywords={},
                outcome="failed",
                longrepr=f"{verdict.message}\n{verdict.reason}".strip(),
                when="call",
            )
            self.config.hook.pytest_runtest_logreport(report=report)
        if self.told["options"].get("capture") != "no":
            self.terminal.ensure_newline()
        self._finishing = (int(pytest.ExitCode.TESTS_FAILED), f"seatrial: {verdict.message}", "")
        self._end_session(None)

    # Writing.

    def _write(self, text: str) -> None:
        if self.told["verbatim"]:
            sys.stdout.write(text)
        else:
            self.terminal._tw.write(text)
        sys.stdout.flush()

    def _print(self, data: bytes) -> None:
        if self.told["options"].get("capture") != "no" and self._begun and not self._over:
            self.terminal.ensure_newline()
        self.terminal._tw.flush()
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]


class _Elapsed:
    """Represents the start of the session; returns its duration in the pod."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def elapsed(self) -> _Elapsed:
        return self


def _item(chain: list[list[str]]) -> _Item:
    nodes = []
    for shown, nodeid, documentation in chain:
        node = _NODES.get((shown, nodeid))
        if node is None:
            node = object.__new__(_Item)
            node.shown = shown
            node.address = nodeid
            node.obj = type("Documented", (), {"__doc__": documentation})() if documentation else None
            _NODES[shown, nodeid] = node
        nodes.append(node)
    item = nodes[-1]
    item.chain = tuple(nodes)
    return item


_NODES: dict[tuple[str, str], _Item] = {}


def _source(line: str, suffix: str) -> str:
    """Return the source line of a warning with the lines that pytest prints below it.

    Never None: Python would read the line from the file that the warning names.
    """
    return f"{line.strip()}\n{suffix}" if suffix else line


_HANDLERS = {
    RecordKind.HEADER: Player._header,
    RecordKind.COLLECTING: Player._collecting,
    RecordKind.COLLECT_REPORT: Player._collect,
    RecordKind.DESELECTED: Player._deselected,
    RecordKind.COLLECTED: Player._collected,
    RecordKind.VERBOSITY: Player._verbose,
    RecordKind.COUNT: Player._count,
    RecordKind.TEST_STARTED: Player._start,
    RecordKind.TEST_FINISHED: Player._finish,
    RecordKind.TEST_PASSED: Player._plain,
    RecordKind.TEARDOWN_PASSED: Player._torn_down,
    RecordKind.REPORT: Player._report,
    RecordKind.WORKER: Player._worker,
    RecordKind.BLOB: Player._blob,
    RecordKind.WARNING: Player._warning,
    RecordKind.TEXT: Player._text,
    RecordKind.INTERRUPT: Player._interrupt,
    RecordKind.LOOP_FINISHED: Player._looped,
    RecordKind.INTERNAL_ERROR: Player._internal,
    RecordKind.PROPERTY: Player._property,
    RecordKind.ATTRIBUTE: Player._attribute,
    RecordKind.DEBUGGER: Player._debugger,
    RecordKind.FINISHING: Player._finish_session,
    RecordKind.END: Player._end,
}
