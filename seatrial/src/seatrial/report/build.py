"""Build the page of a run from its events, the results of pytest, and the records and logs of the cluster. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from seatrial.model.blame import Blame, Cause, blame_summary
from seatrial.model.environment_facts import ContainerFacts, EnvironmentFacts, EnvironmentKind, Limits, RunnerFacts
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding
from seatrial.model.redaction import safe_struct
from seatrial.model.result import Counts, RunResult
from seatrial.model.timeline import LogRecord, Record
from seatrial.report.history import History, StageSpan, TestSpan
from seatrial.report.lanes import incidents, lanes, service_of
from seatrial.report.log_lines import TimedLog, shortened
from seatrial.report.page import (
    FAILED_OUTCOMES,
    Failure,
    FileLink,
    FoundCause,
    Image,
    Incident,
    LogExcerpt,
    OutcomeCount,
    Page,
    Phase,
    Service,
    StageRow,
    SuspectedCause,
    Test,
    Timeline,
    Tone,
    Verdict,
)
from seatrial.report.run_files import LogFile, RunFiles
from seatrial.report.session import Session, TestDetail
from seatrial.sinks import words

__all__ = ["Sources", "build_page", "sources_of"]

_LOG_LINES: Final = 300
"""Lines of one container's log that a failure shows."""

_INCIDENTS: Final = 60
"""Changes in the cluster that a failure shows."""

_LEAD: Final = 10.0
"""Seconds before the start of a test from which changes in the cluster are shown: their effects come later."""

_TESTS: Final = frozenset(("tests", "test-runner"))
"""Container in which pytest runs, in Kubernetes and in Compose. Its log repeats the report of the tests."""

_TONES: Final[Mapping[ExitCode, Tone]] = {
    ExitCode.PASSED: "passed",
    ExitCode.TESTS_FAILED: "failed",
    ExitCode.NO_TESTS: "failed",
    ExitCode.PYTEST_INTERNAL: "failed",
    ExitCode.PARITY_DIFFERS: "failed",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.USAGE: "environment",
    ExitCode.ENVIRONMENT: "environment",
    ExitCode.OUT_OF_TIME: "environment",
    ExitCode.INCONCLUSIVE: "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a page is built from.

    Attributes:
        history: the events of the run.
        result: content of `result.json`; None if the run ended without one.
        facts: content of `facts.json`; None if the run has no such file.
        session: what pytest reported.
        records: records of the cluster.
        logs: logs of containers.
        read_log: returns the bytes of one of them.
        links: files of the run.
    """

    history: History
    result: RunResult | None = None
    facts: EnvironmentFacts | None = None
    session: Session = field(default_factory=Session)
    records: Sequence[Record] = ()
    logs: Sequence[LogFile] = ()
    read_log: Callable[[LogFile], bytes] = lambda _: b""
    links: tuple[FileLink, ...] = ()


def sources_of(files: RunFiles, history: History | None = None) -> Sources:
    """Return the sources in a run directory.

    Args:
        files: the run directory.
        history: the events, if they are known already.
    """
    if history is None:
        history = History()
        for event in files.events():
            history.take(event)
    records = files.timeline()
    return Sources(
        history=history,
        result=files.result() or history.result,
        facts=files.facts(),
        session=files.session(),
        records=records,
        logs=_log_files(files, records),
        read_log=files.log,
        links=files.links(),
    )


def build_page(sources: Sources) -> Page:
    """Return the page of a run. All its texts are safe to print and contain no known secret."""
    history, result = sources.history, sources.result
    stages = _stages(history, result)
    tests = _Tests(sources, stages).all()
    start = history.start or (result.started if result else None)
    end = max([history.end, *(row.start + row.seconds for row in stages)], default=0.0)
    page = Page(
        run=result.run if result else history.run,
        command=_command(history),
        started=start.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if start else "",
        seconds=result.seconds if result else history.end,
        verdict=_verdict(sources),
        counts=_counts(result.counts) if result else _counted(history),
        findings=_findings(history, result),
        notes=_notes(history, result),
        tests=tests,
        stages=stages,
        timeline=Timeline(seconds=end, lanes=lanes(history, stages, tests, sources.records)),
        facts=_facts(sources),
        images=tuple(
            Image(reference=each.reference, digest=each.digest, size=each.size, stands_in_for=each.stands_in_for)
            for each in (result.images if result else ())
        ),
        containers=tuple(map(_container, sources.facts.containers)) if sources.facts else (),
        files=sources.links,
    )
    return safe_struct(page)


def _command(history: History) -> str:
    return shlex.join(("seatrial", *history.command))


def _verdict(sources: Sources) -> Verdict:
    result, session = sources.result, sources.session
    fault = blame_summary(tuple(_blames(sources).values()))
    if result is None:
        text = "the run ended without a verdict: it was killed, or is still running"
        return Verdict(tone="unknown", text=text, fault=fault, reason=_last_line(session.internal_error))
    problem = result.problem
    return Verdict(
        tone=_TONES.get(result.exit, "failed"),
        text=result.verdict,
        exit=int(result.exit),
        fault=fault,
        reason=problem.reason if problem else _last_line(session.internal_error),
        hint=problem.hint if problem else "",
        log=problem.log if problem else "",
    )


def _blames(sources: Sources) -> dict[str, Blame]:
    result = sources.result
    return {**sources.history.blames, **{blame.nodeid: blame for blame in (result.blame if result else ())}}


def _suspect(cause: Cause) -> SuspectedCause:
    finding = cause.finding
    before = f"{cause.seconds:.0f} s before the failure" if cause.seconds >= 1 else "less than 1 s before the failure"
    return SuspectedCause(
        relation=cause.word,
        fault=cause.fault,
        text=f"{words.finding(finding)}, {before}",
        service=cause.service,
        links=cause.links,
        evidence=_lines(finding),
        hint=finding.hint,
    )


def _last_line(text: str) -> str:
    return text.strip().rsplit("\n", 1)[-1]


def _counts(counts: Counts) -> tuple[OutcomeCount, ...]:
    numbers = (
        ("failed", counts.failed),
        ("error", counts.errors),
        ("passed", counts.passed),
        ("skipped", counts.skipped),
        ("xfailed", counts.xfailed),
        ("xpassed", counts.xpassed),
    )
    return tuple(OutcomeCount(outcome=outcome, number=number) for outcome, number in numbers if number)


def _counted(history: History) -> tuple[OutcomeCount, ...]:
    numbers = Counter(span.outcome for span in history.tests.values())
    return tuple(OutcomeCount(outcome=outcome, number=number) for outcome, number in sorted(numbers.items()))


def _findings(history: History, result: RunResult | None) -> tuple[FoundCause, ...]:
    found = [finding for stage in (result.stages if result else ()) for finding in stage.findings]
    found += [finding for finding in history.findings if finding not in found]
    return tuple(map(_cause, found))


def _cause(finding: Finding) -> FoundCause:
    return FoundCause(title=words.finding(finding), evidence=_lines(finding), hint=finding.hint, fatal=finding.fatal)


def _lines(finding: Finding) -> tuple[str, ...]:
    return tuple(line for text in finding.evidence for line in text.splitlines())


def _notes(history: History, result: RunResult | None) -> tuple[str, ...]:
    stand_ins = [
        f"{used.reference} stands in for {used.stands_in_for}"
        for used in (result.images if result else ())
        if used.stands_in_for
    ]
    return (*history.warnings, *stand_ins, *(words.pod_files(result) if result else ()))


def _stages(history: History, result: RunResult | None) -> tuple[StageRow, ...]:
    if result is not None:
        return tuple(
            StageRow(
                name=stage.stage,
                outcome=stage.outcome,
                start=stage.started,
                seconds=stage.seconds,
                alone=stage.alone,
                facts=tuple(stage.facts.items()),
                findings=tuple(map(_cause, stage.findings)),
            )
            for stage in result.stages
        )
    return tuple(_unfinished(span, history.end) for span in history.stages)


def _unfinished(span: StageSpan, end: float) -> StageRow:
    seconds = (end if span.end is None else span.end) - span.start
    return StageRow(
        name=span.name, outcome=span.outcome, start=span.start, seconds=seconds, facts=tuple(span.facts.items())
    )


def _facts(sources: Sources) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    history, result = sources.history, sources.result
    versions = {**(result.versions if result else {}), **sources.session.versions}
    machine: dict[str, str] = {}
    tree: dict[str, str] = {}
    if result is not None:
        machine["environment"] = result.environment + (", kept" if result.kept else "")
        if result.peak_memory:
            machine["memory"] = f"{result.peak_memory / 1e9:.1f} GB at most"
        if result.images_size:
            machine["images"] = f"{result.images_size / 1e9:.1f} GB"
        if result.tree is not None:
            same = result.tree.host == result.tree.pod
            tree["files"] = str(result.tree.files)
            tree["digest on the host"] = result.tree.host
            tree["digest in the pod"] = "the same" if same else result.tree.pod
    groups = (
        ("Run", {"id": history.run, "command": _command(history), "directory": history.directory, **machine}),
        ("Versions", versions),
        ("Container of the tests", _runner(sources.facts.runner) if sources.facts and sources.facts.runner else {}),
        ("Files of the tests", tree),
    )
    return tuple((name, tuple(values.items())) for name, values in groups if values)


def _runner(runner: RunnerFacts) -> dict[str, str]:
    values = {
        "user": str(runner.user),
        "groups": ", ".join(map(str, runner.groups)),
        "host name": runner.hostname,
        "time zone": runner.time_zone,
        "limits": _limits(runner.limits),
        "memory used": f"{runner.usage.memory_peak / 2**20:.0f} MiB at most" if runner.usage.memory_peak else "",
        "CPU time": f"{runner.usage.cpu_seconds:.1f} s" if runner.usage.cpu_seconds else "",
        "root file system": "read-only" if runner.read_only_root else "writable",
    }
    return {name: value for name, value in values.items() if value}


def _container(facts: ContainerFacts) -> Service:
    return Service(
        name=facts.name,
        image=facts.image,
        digest=facts.digest or facts.image_id,
        limits=_limits(facts.limits),
        ready=facts.seconds_to_ready,
        restarts=facts.restarts,
        last_exit=facts.last_exit,
    )


def _limits(limits: Limits) -> str:
    memory = f"{limits.memory / 2**20:.0f} MiB" if limits.memory else ""
    cpu = f"{limits.cpu:g} CPU" if limits.cpu else ""
    return ", ".join(part for part in (memory, cpu) if part)


def _log_files(files: RunFiles, records: Sequence[Record]) -> list[LogFile]:
    """Return the logs that were followed; of pods without one, those that the collect stage wrote."""
    known = {link.path for link in files.links()}
    followed = {
        record.file: LogFile(record.file, record.namespace, record.pod, record.container, record.restarts)
        for record in records
        if isinstance(record, LogRecord) and record.file in known
    }
    pods = {(file.namespace, file.pod) for file in followed.values()}
    return [
        *followed.values(),
        *(file for file in files.pod_logs() if file.path not in followed and (file.namespace, file.pod) not in pods),
    ]


class _Tests:
    """The tests of a page."""

    def __init__(self, sources: Sources, stages: Sequence[StageRow]) -> None:
        self._sources = sources
        self._start: datetime | None = sources.history.start
        self._end = next((row.start + row.seconds for row in stages if row.name == "test"), sources.history.end)
        self._command = "test" if sources.result is not None and sources.result.kept else "run"
        self._selection = sources.history.selection
        compose = sources.result is not None and sources.result.environment == EnvironmentKind.COMPOSE
        if compose and not self._selection.environment:
            self._selection = replace(self._selection, environment="compose")
        self._blames = _blames(sources)
        self._incidents: list[Incident] | None = None
        self._read: dict[str, TimedLog] = {}

    def all(self) -> tuple[Test, ...]:
        """Return all tests."""
        spans = self._sources.history.tests.values()
        return tuple(self._test(number, span) for number, span in enumerate(spans))

    def _test(self, number: int, span: TestSpan) -> Test:
        detail = self._sources.session.tests.get(span.nodeid) or TestDetail()
        start = span.start
        if detail.start is not None and self._start is not None:
            start = max(0.0, detail.start - self._start.timestamp())
        unfinished = span.outcome == "unfinished" and start is not None
        seconds = max(0.0, self._end - start) if unfinished and start is not None else span.seconds
        failure = self._failure(span, detail, start, seconds) if span.outcome in FAILED_OUTCOMES else None
        place = next((phase for phase in failure.phases if phase.file == detail.file), None) if failure else None
        return Test(
            id=f"t{number}",
            nodeid=span.nodeid,
            outcome=span.outcome,
            start=start,
            seconds=seconds,
            worker=span.worker,
            services=detail.services,
            file=detail.file or span.nodeid.partition("::")[0],
            line=place.line if place else detail.line,
            reason=detail.reason,
            failure=failure,
        )

    def _failure(self, span: TestSpan, detail: TestDetail, start: float | None, seconds: float) -> Failure:
        phases = tuple(detail.phases) or (_without_report(span),)
        stop = start + seconds if start is not None else 0.0
        if detail.stop is not None and self._start is not None:
            stop = max(stop, detail.stop - self._start.timestamp())
        blame = self._blames.get(span.nodeid)
        return Failure(
            phases=phases,
            fault=blame.fault if blame else "",
            causes=tuple(map(_suspect, blame.causes)) if blame else (),
            incidents=self._during(start, stop) if start is not None else (),
            logs=self._logs(start, stop, _concerned(detail, blame)) if start is not None else (),
            reproduce=self._selection.shell_command(self._command, span.nodeid),
        )

    def _during(self, first: float, last: float) -> tuple[Incident, ...]:
        if self._incidents is None:
            self._incidents = incidents(self._sources.history, self._sources.records)
        # Those shortly before the failure tell most.
        return tuple(each for each in self._incidents if first - _LEAD <= each.at <= last)[-_INCIDENTS:]

    def _logs(self, first: float, last: float, services: Sequence[str]) -> tuple[LogExcerpt, ...]:
        excerpts = []
        for file in self._sources.logs:
            if file.container.removesuffix("-previous") in _TESTS:
                continue
            lines, left_out = shortened(self._log(file).between(first, last), _LOG_LINES)
            if lines:
                source = "/".join(part for part in (file.namespace, file.pod, file.container) if part)
                again = f", restart {file.restarts}" if file.restarts else ""
                service = service_of(file.pod) if file.pod else file.container
                excerpt = LogExcerpt(
                    source=source + again, service=service, file=file.path, lines=lines, left_out=left_out
                )
                excerpts.append(excerpt)
        # Services that the test asked for, or that made it fail, come first.
        return tuple(sorted(excerpts, key=lambda each: (each.service not in services, each.source)))

    def _log(self, file: LogFile) -> TimedLog:
        read = self._read.get(file.path)
        if read is None and self._start is not None:
            read = self._read[file.path] = TimedLog.read(self._sources.read_log(file), self._start)
        return read or TimedLog((), ())


def _concerned(detail: TestDetail, blame: Blame | None) -> tuple[str, ...]:
    return (*detail.services, *(cause.service for cause in (blame.causes if blame else ())))


def _without_report(span: TestSpan) -> Phase:
    """Return the failure of a test about which pytest reported nothing but its outcome."""
    if span.outcome == "unfinished":
        return Phase(when="call", message="started and did not end")
    return Phase(when="call", message=f"{span.outcome}; pytest's report of it is missing")
