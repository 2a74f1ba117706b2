"""Reduce the record stream of one pytest session to progress events and evidence. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from seatrial.diagnose.failed_test import FailedTest, error_of
from seatrial.model.event import Body, Note, TestReported, TestsCollected, TestStarted
from seatrial.model.result import Counts
from seatrial.pod.agent.wire import RecordKind
from seatrial.runner.protocol import CUT, NANO, Frame, Record

__all__ = ["EndRecord", "Progress"]

_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?([A-Za-z0-9_-]+)")
"""The first label of the host in an address or URL."""

NOT_RUN = "not run: "
"""Prefix of a skip reason that marks a test which this environment cannot run."""

_Outcome = Literal["passed", "failed", "skipped", "xfailed", "xpassed", "error"]


@dataclass(frozen=True, slots=True)
class EndRecord:
    """The end record of pytest, checked against the records before it.

    Attributes:
        doubt: difference between the end record and the frames and counts that arrived; empty if they agree.
    """

    exit: int
    collected: int
    collect_only: bool
    seconds: float
    doubt: str


@dataclass(slots=True)
class Progress:
    """The state of a pytest session.

    Attributes:
        session: versions, options and ini values of pytest; None before the session starts.
        collected: number of tests to run; None before collection ends. A test that is collected twice counts twice.
        distinct: number of distinct node ids among them.
        current: the test that started last.
        running: test -> its location, for tests that started and did not end.
        reported: tests with a result: a report of their call, or one that says why there is no call.
        finished: tests that ended.
        ends: number of times that a test ended.
        imports: module of the project -> (file, sha256) as it was imported.
        failures: test -> its first failure.
        now: when the frame arrived whose records are taken.
    """

    session: dict[str, Any] | None = None
    collected: int | None = None
    distinct: int = 0
    current: str = ""
    running: dict[str, Any] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    ends: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    not_run: Counter[str] = field(default_factory=Counter)
    deselected: int = 0
    collect_errors: int = 0
    interrupted_by: str = ""
    internal_error: str = ""
    debugger: int = 0
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    finishing: int | None = None
    end: EndRecord | None = None
    failures: dict[str, FailedTest] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    _since: dict[str, datetime] = field(default_factory=dict)

    def take(self, frame: Frame, now: datetime | None = None) -> list[Body]:
        """Update the state with the records of a frame; return the resulting events.

        Args:
            frame: the frame.
            now: when it arrived.
        """
        self.now = now or self.now
        events: list[Body] = []
        for record in frame.records:
            if self.end is not None and record[0] != RecordKind.TEXT:
                self.end = replace(self.end, doubt="pytest sent records after its end record")
            handler = _HANDLERS.get(record[0])
            if handler is not None:
                handler(self, record, events)
            elif record[0] == RecordKind.END:
                self._end(record[1], frame)
        return events

    @property
    def counts(self) -> Counts:
        """Tests by outcome, as pytest counts them in its last line."""
        return Counts(
            collected=self.collected or 0,
            passed=self.outcomes["passed"],
            failed=self.outcomes["failed"],
            errors=self.outcomes["error"] + self.collect_errors,
            skipped=self.outcomes["skipped"],
            xfailed=self.outcomes["xfailed"],
            xpassed=self.outcomes["xpassed"],
            deselected=self.deselected,
            not_run=dict(self.not_run),
        )

    @property
    def setup_only(self) -> bool:
        """Whether --setup-only or --setup-plan was given, so that no test runs."""
        return bool(((self.session or {}).get("options") or {}).get("setuponly"))

    def _end(self, end: dict[str, Any], frame: Frame) -> None:
        doubt = ""
        if len(frame.records) != 1 or end["frames"] != frame.index:
            doubt = "the end record has another number of frames"
        elif end["tally"] != dict(self.tally):
            doubt = f"pytest counted {end['tally']}, but {dict(self.tally)} arrived"
        self.end = EndRecord(end["exit"], end["collected"], end["collect_only"], end["seconds"], doubt)
        if self.collected is None:
            self.collected = end["collected"]

    def _session(self, record: Record, _events: list[Body]) -> None:
        self.session = record[1]

    def _collect(self, record: Record, events: list[Body]) -> None:
        report = record[1]
        if report["outcome"] == "failed":
            self.collect_errors += 1
        elif report["outcome"] == "skipped":
            self.outcomes["skipped"] += 1
            self._note_not_run(report)
        if report["outcome"] != "passed":
            outcome: _Outcome = "error" if report["outcome"] == "failed" else "skipped"
            nodeid = report["nodeid"]
            events.append(TestReported(nodeid=nodeid, when="collect", outcome=outcome, seconds=0.0))

    def _deselected(self, record: Record, _events: list[Body]) -> None:
        self.deselected += record[1]

    def _collected(self, record: Record, events: list[Body]) -> None:
        self.collected, self.distinct = record[1], record[2]
        events.append(TestsCollected(count=record[1]))

    def _count(self, record: Record, events: list[Body]) -> None:
        self.collected, self.distinct = record[1], record[2]
        events.append(TestsCollected(count=record[1]))

    def _start(self, record: Record, events: list[Body]) -> None:
        self.current, path, domain = record[1].split(CUT)
        self.running[self.current] = (path, record[2], domain)
        self._since[self.current] = self.now
        events.append(TestStarted(nodeid=self.current))

    def _finish(self, record: Record, _events: list[Body]) -> None:
        self.running.pop(record[1], None)
        self._since.pop(record[1], None)
        self.finished.add(record[1])
        self.ends += 1

    def _plain(self, record: Record, events: list[Body]) -> None:
        self._passed(self.current, "setup", record[2] / NANO, events)
        self._passed(self.current, "call", record[4] / NANO, events)

    def _torn_down(self, record: Record, events: list[Body]) -> None:
        self._passed(self.current, "teardown", record[1] / NANO, events)
        self.running.pop(self.current, None)
        self._since.pop(self.current, None)
        self.finished.add(self.current)
        self.ends += 1

    def _passed(self, nodeid: str, when: str, seconds: float, events: list[Body]) -> None:
        self.tally[f"{when}/passed/"] += 1
        if when == "call":
            self.reported.add(nodeid)
            self.outcomes["passed"] += 1
        events.append(TestReported(nodeid=nodeid, when=_when(when), outcome="passed", seconds=max(0.0, seconds)))

    def _report(self, record: Record, events: list[Body]) -> None:
        report = record[1]
        when, outcome, xfail = report["when"], report["outcome"], "wasxfail" in report
        self.tally[f"{when}/{outcome}/{'x' if xfail else ''}"] += 1
        nodeid = report["nodeid"]
        subtest = report.get("_report_type") == "SubTestReport"
        if record[2:]:
            outcome = record[2].get("outcome", outcome)
        if outcome not in ("passed", "failed", "skipped"):
            # A plugin reruns the test: "rerun", "retried". The last attempt has a result.
            return
        shown = _category(when, outcome, xfail=xfail)
        context = (record[2].get("context") if record[2:] else None) or {}
        # A passed setup, teardown or subtest is not a result.
        if (when not in ("setup", "teardown") or shown != "passed") and not (subtest and shown != "failed"):
            self.reported.add(nodeid)
            self.outcomes[shown] += 1
            if shown == "skipped":
                self._note_not_run(report)
            elif shown in ("failed", "error"):
                self._fail(nodeid, report, context)
        worker = report.get("node") or ""
        seconds = max(0.0, float(report.get("duration") or 0.0))
        used = _used_services(context)
        phase = _when(when)
        events.append(
            TestReported(nodeid=nodeid, when=phase, outcome=shown, seconds=seconds, worker=worker, services=used)
        )

    def _fail(self, nodeid: str, report: dict[str, Any], told: dict[str, Any]) -> None:
        failed = FailedTest(
            nodeid=nodeid,
            begin=self._since.get(nodeid, self.now),
            end=self.now,
            error=error_of(report.get("longrepr")),
            services=tuple(told.get("services", ())),
            namespaces=tuple(told.get("namespaces", ())),
            addresses=tuple(told.get("addresses", ())),
            answers=tuple((status, url) for status, url in told.get("answers", ())),
        )
        self.failures.setdefault(nodeid, failed)

    def _note_not_run(self, report: dict[str, Any]) -> None:
        reason = report["longrepr"][2] if isinstance(report.get("longrepr"), list) else ""
        reason = str(reason).removeprefix("Skipped: ")
        if reason.startswith(NOT_RUN):
            self.not_run[reason.removeprefix(NOT_RUN)] += 1

    def _interrupt(self, record: Record, _events: list[Body]) -> None:
        self.interrupted_by = f"{record[1]['type']}: {record[1]['message']}"

    def _internal(self, record: Record, _events: list[Body]) -> None:
        self.internal_error = record[1].strip().rsplit("\n", 1)[-1]

    def _debugger(self, _record: Record, _events: list[Body]) -> None:
        self.debugger += 1

    def _imports(self, record: Record, _events: list[Body]) -> None:
        self.imports.update({name: (path, digest) for name, (path, digest) in record[1].items()})

    def _finishing(self, record: Record, events: list[Body]) -> None:
        if self.finishing is None:
            events.append(Note(level="debug", text="pytest is finishing"))
        self.finishing = record[1]


def _used_services(context: dict[str, Any]) -> tuple[str, ...]:
    """Return the services that a failed test asked for, and the hosts that it connected to."""
    hosts = [found[1] for address in context.get("addresses", ()) if (found := _HOST.match(address))]
    return tuple(dict.fromkeys((*context.get("services", ()), *hosts)))


_HANDLERS = {
    RecordKind.SESSION: Progress._session,  # noqa: SLF001
    RecordKind.COLLECT_REPORT: Progress._collect,  # noqa: SLF001
    RecordKind.DESELECTED: Progress._deselected,  # noqa: SLF001
    RecordKind.COLLECTED: Progress._collected,  # noqa: SLF001
    RecordKind.COUNT: Progress._count,  # noqa: SLF001
    RecordKind.TEST_STARTED: Progress._start,  # noqa: SLF001
    RecordKind.TEST_FINISHED: Progress._finish,  # noqa: SLF001
    RecordKind.TEST_PASSED: Progress._plain,  # noqa: SLF001
    RecordKind.TEARDOWN_PASSED: Progress._torn_down,  # noqa: SLF001
    RecordKind.REPORT: Progress._report,  # noqa: SLF001
    RecordKind.INTERRUPT: Progress._interrupt,  # noqa: SLF001
    RecordKind.INTERNAL_ERROR: Progress._internal,  # noqa: SLF001
    RecordKind.DEBUGGER: Progress._debugger,  # noqa: SLF001
    RecordKind.IMPORTS: Progress._imports,  # noqa: SLF001
    RecordKind.FINISHING: Progress._finishing,  # noqa: SLF001
}


def _category(when: str, outcome: str, *, xfail: bool) -> _Outcome:
    """Return pytest's category of a report, by the rules in `_pytest/skipping.py` and `_pytest/terminal.py`."""
    if xfail and outcome == "skipped":
        return "xfailed"
    if xfail and outcome == "passed":
        return "xpassed"
    if outcome == "failed":
        return "error" if when in ("setup", "teardown") else "failed"
    return "skipped" if outcome == "skipped" else "passed"


def _when(when: str) -> Literal["setup", "call", "teardown", "collect"]:
    """Return the phase. xdist reports the test that crashed its worker in the phase "???"."""
    return when if when in ("setup", "call", "teardown", "collect") else "call"  # type: ignore[return-value]
