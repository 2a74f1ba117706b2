"""Read what pytest reported about tests from the records of its session: times, services, failures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from seatrial.model.text import without_color
from seatrial.pod.agent.wire import RecordKind
from seatrial.report.longrepr import phase_of, skip_reason
from seatrial.report.page import OutputSection, Phase
from seatrial.runner.protocol import CUT, MICRO, NANO, Record, decode_records

__all__ = ["Session", "TestDetail"]

_OUTPUT: Final = 100_000
"""Characters of one captured output that are kept: its end."""

_SERVICES: Final = "services"
"""Name of the user property with the services that a test asked for."""


@dataclass(slots=True)
class TestDetail:
    """What pytest reported about one test.

    Attributes:
        start: start of its set-up by the clock of the pod, in seconds since 1970; None if unknown.
        stop: end of its last phase.
        file: relative to pytest's root directory.
        line: line of the definition, from 1; 0 if unknown.
        reason: why it was skipped or expected to fail.
        phases: the failed phases.
    """

    start: float | None = None
    stop: float | None = None
    file: str = ""
    line: int = 0
    services: tuple[str, ...] = ()
    reason: str = ""
    phases: list[Phase] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """The records of a pytest session.

    Attributes:
        tests: by node id.
        versions: of Python and pytest in the pod.
        root: pytest's root directory in the pod.
        internal_error: traceback of an error of pytest or a plugin; empty if both worked.
    """

    tests: dict[str, TestDetail] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    root: str = "/"
    internal_error: str = ""
    _current: str = ""
    _pieces: Sequence[bytes] = ()

    def take(self, records: Iterable[Record], pieces: Sequence[bytes] = ()) -> None:
        """Add the records of a frame, as `decode_records` returns them. Call it for all frames in order.

        Args:
            records: the records.
            pieces: bodies of the frames directly before, with long output of the report among the records. They are
                decoded if the report is of a failure.
        """
        self._pieces = pieces
        for record in records:
            match record[0]:
                case RecordKind.SESSION:
                    self._session(record)
                case RecordKind.TEST_STARTED:
                    self._started(record)
                case RecordKind.TEST_PASSED:
                    self._plain(record)
                case RecordKind.TEARDOWN_PASSED:
                    self._torn_down(record)
                case RecordKind.REPORT | RecordKind.COLLECT_REPORT:
                    self._report(record)
                case RecordKind.INTERNAL_ERROR:
                    self.internal_error = record[1]

    def _session(self, record: Record) -> None:
        info = record[1]
        self.versions = {name: info[name] for name in ("python", "pytest") if info.get(name)}
        self.root = info.get("rootdir") or "/"

    def _started(self, record: Record) -> None:
        self._current, path, _ = record[1].split(CUT)
        detail = self.tests.setdefault(self._current, TestDetail())
        detail.file = path
        if isinstance(record[2], int):
            detail.line = record[2] + 1

    def _plain(self, record: Record) -> None:
        detail = self.tests.get(self._current)
        # pytest before 7.1 tells no times.
        if detail is not None and record[3]:
            detail.start = record[3] / MICRO
            detail.stop = record[5] / MICRO + record[4] / NANO

    def _torn_down(self, record: Record) -> None:
        detail = self.tests.get(self._current)
        if detail is not None and record[2]:
            detail.stop = record[2] / MICRO + record[1] / NANO

    def _report(self, record: Record) -> None:
        report: dict[str, Any] = record[1]
        detail = self.tests.setdefault(report["nodeid"], TestDetail())
        when = report.get("when") or "collect"
        start, stop = report.get("start"), report.get("stop")
        if isinstance(start, int | float) and when == "setup":
            detail.start = float(start)
        if isinstance(stop, int | float):
            detail.stop = float(stop)
        for name, value in report.get("user_properties") or ():
            if name == _SERVICES:
                detail.services = tuple(str(value).split())
        if when == "collect" and report["outcome"] != "passed":
            detail.file = report["nodeid"]
        if context := _more(record).get("context"):
            detail.services = tuple(dict.fromkeys((*detail.services, *context.get("services", ()))))
        if report["outcome"] == "failed":
            sections = tuple(self._sections(report.get("sections") or ()))
            phase = phase_of(when, _longrepr(record), root=self.root, test_file=detail.file)
            detail.phases.append(_with_sections(phase, sections))
        elif report["outcome"] == "skipped":
            detail.reason = report.get("wasxfail") or skip_reason(report.get("longrepr"))

    def _sections(self, sections: Iterable[Any]) -> Iterator[OutputSection]:
        long: dict[int, list[str]] = {}
        for piece in self._pieces:
            for _, number, text in decode_records(piece):
                long.setdefault(number, []).append(text)
        for name, content in sections:
            text = without_color("".join(long.get(content["$blob"], ())) if isinstance(content, dict) else content)
            if text:
                cut = "… the beginning is left out …\n" if len(text) > _OUTPUT else ""
                yield OutputSection(name=name, text=cut + text[-_OUTPUT:])


def _more(record: Record) -> dict[str, Any]:
    """Return the second part of a report: changes of plugins in the pod, and the context of a failure."""
    return record[2] if record[2:] and isinstance(record[2], dict) else {}


def _longrepr(record: Record) -> Any:
    """Return the exception of a report; where plugins in the pod changed it, the changed one."""
    return _more(record).get("longrepr") or record[1].get("longrepr")


def _with_sections(phase: Phase, sections: tuple[OutputSection, ...]) -> Phase:
    return Phase(
        when=phase.when, message=phase.message, explanation=phase.explanation, trace=phase.trace, sections=sections,
        file=phase.file, line=phase.line,
    )  # fmt: skip
