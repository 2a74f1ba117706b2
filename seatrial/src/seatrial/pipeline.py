"""Run the stages of a plan in order, emit events, and always end with collect, teardown and a result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from seatrial.diagnose.critical_path import seconds_on_path
from seatrial.interruption import defer_signals
from seatrial.model import event as e
from seatrial.model.deadline import Deadline
from seatrial.model.errors import (
    FOREIGN_CODES,
    EnvironmentFailed,
    ExitCode,
    NotReady,
    SeatrialError,
    WrongInput,
    understood,
)
from seatrial.model.finding import Finding
from seatrial.model.names import RunId
from seatrial.model.redaction import safe_struct
from seatrial.model.result import Counts, Outcome, Problem, RunResult, Stage, StageResult
from seatrial.ports import Clock
from seatrial.removal.keep import Fate, fate_of
from seatrial.runner.run_tests import TestRun
from seatrial.stages import build, cluster, collect, compose, deliver, install, preflight, ready, teardown, test
from seatrial.stages.build import BuiltImages
from seatrial.stages.cluster import RunningCluster
from seatrial.stages.collect import Collection
from seatrial.stages.compose.install import StartedProject
from seatrial.stages.compose.preflight import ComposeFile
from seatrial.stages.context import ComposeCtx, Ctx, Report, RunContext
from seatrial.stages.deliver import DeliveredImages
from seatrial.stages.install import Installation
from seatrial.stages.preflight import Preflight

__all__ = ["COMPOSE_STAGES", "STAGES", "FinishedRun", "Recorder", "Results", "code_of", "execute"]

T = TypeVar("T")
C = TypeVar("C", bound=RunContext)


class Results:
    """The results of the stages that ended so far, by type. Stages in parallel chains store theirs."""

    def __init__(self) -> None:
        self._by_type: dict[type, object] = {}
        self.failed = False
        """Whether a stage or a test failed, once the end stages run."""

    def store(self, result: object) -> None:
        """Store the result of a stage. None is no result."""
        if result is not None:
            assert type(result) not in self._by_type, f"{type(result).__name__} is stored already"  # noqa: S101
            self._by_type[type(result)] = result

    def find(self, kind: type[T]) -> T | None:
        """Return the result of this type; None if its stage did not end successfully."""
        found = self._by_type.get(kind)
        return found if isinstance(found, kind) else None

    def require(self, kind: type[T]) -> T:
        """Return the result of this type, whose stage precedes in all plans."""
        found = self.find(kind)
        assert found is not None, f"no stage returned {kind.__name__}"  # noqa: S101
        return found


Functions = Mapping[Stage, Callable[[C, Results], Report[Any]]]
"""What runs a stage: each takes the run, and the results that it needs of earlier stages."""

Groups = Sequence[Sequence[Sequence[Stage]]]

STAGES: Final[Functions[Ctx]] = {
    Stage.PREFLIGHT: lambda ctx, _: preflight.run(ctx),
    Stage.CLUSTER: lambda ctx, _: cluster.run(ctx),
    Stage.BUILD: lambda ctx, _: build.run(ctx),
    Stage.DELIVER: lambda ctx, results: deliver.run(ctx, results.require(BuiltImages)),
    Stage.INSTALL: lambda ctx, results: install.run(
        ctx, results.require(RunningCluster), results.require(DeliveredImages)
    ),
    Stage.READY: lambda ctx, results: ready.run(ctx, results.require(DeliveredImages), results.require(Installation)),
    Stage.TEST: lambda ctx, results: test.run(
        ctx,
        results.require(RunningCluster),
        results.require(DeliveredImages),
        results.require(Installation),
        cut=results.store,
    ),
    Stage.COLLECT: lambda ctx, results: collect.run(
        ctx, results.find(DeliveredImages), results.find(TestRun), failed=results.failed
    ),
    Stage.TEARDOWN: lambda ctx, _: teardown.run(ctx, Deadline.after(_TEARDOWN_SECONDS)),
}
"""The stages of a Kubernetes environment."""

COMPOSE_STAGES: Final[Functions[ComposeCtx]] = {
    Stage.PREFLIGHT: lambda ctx, _: compose.preflight.run(ctx),
    Stage.BUILD: lambda ctx, _: build.run(ctx),
    Stage.INSTALL: lambda ctx, results: compose.install.run(
        ctx, results.require(ComposeFile), results.require(BuiltImages)
    ),
    Stage.READY: lambda ctx, results: compose.ready.run(ctx, results.require(StartedProject)),
    Stage.TEST: lambda ctx, results: compose.test.run(ctx, results.require(StartedProject), cut=results.store),
    Stage.COLLECT: lambda ctx, results: compose.collect.run(ctx, results.find(TestRun), failed=results.failed),
    Stage.TEARDOWN: lambda ctx, _: teardown.run(ctx, Deadline.after(_TEARDOWN_SECONDS)),
}
"""The stages of a Compose environment."""

_END_STAGES: Final = (Stage.COLLECT, Stage.TEARDOWN)
"""Stages that run whatever happened before."""

_POLL_SECONDS: Final = 1.0
"""Interval at which the main thread wakes up, for a Ctrl-C that came just before it began to wait."""

_CANCEL_SECONDS: Final = 15.0
"""Seconds to wait for the concurrent stages of a failed one to end."""

_TEARDOWN_SECONDS: Final = 120.0

_DISK: Final = "df -h shows which file system is full"

_BY_SEVERITY: Final = (
    ExitCode.INTERRUPTED,
    ExitCode.INCONCLUSIVE,
    ExitCode.ENVIRONMENT,
    ExitCode.OUT_OF_TIME,
    ExitCode.PYTEST_INTERNAL,
    ExitCode.USAGE,
    ExitCode.NO_TESTS,
    ExitCode.TESTS_FAILED,
    ExitCode.PARITY_DIFFERS,
    ExitCode.PASSED,
)
"""Exit codes, the most severe first: that is the one of the run."""


class Recorder:
    """Number the events of all stages and pass them to the sinks, one at a time.

    A sink that fails gets no more events and does not end the stage that emits them; `lost` returns its error.
    """

    def __init__(self, run: RunId, clock: Clock, sinks: Sequence[Callable[[e.Event], None]]) -> None:
        self._run = run
        self._clock = clock
        self._sinks = list(sinks)
        self._lost: list[BaseException] = []
        self._lock = threading.Lock()
        self._next = 0

    def __call__(self, body: e.Body) -> None:
        """Emit one event."""
        with self._lock:
            event = e.Event(run=self._run, seq=self._next, at=self._clock.now(), body=e.safe_body(body))
            self._next += 1
            for sink in tuple(self._sinks):
                try:
                    sink(event)
                except Exception as error:  # noqa: BLE001 - the run continues and reports the error at its end
                    self._sinks.remove(sink)
                    self._lost.append(error)

    def lost(self) -> Sequence[BaseException]:
        """Return the errors of failed sinks, without write errors of a terminal or pipe: events.jsonl is complete."""
        return [error for error in self._lost if not isinstance(error, OSError)]


@dataclass(slots=True)
class _Run(Generic[C]):
    """The progress of a run."""

    ctx: C
    functions: Functions[C]
    begin: float = field(default_factory=time.monotonic)
    stages: list[StageResult] = field(default_factory=list)
    results: Results = field(default_factory=Results)
    problems: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    fate: Fate = Fate.LEFT
    peak: int = 0

    def attempt(self, step: Callable[[], object]) -> bool:
        """Run one step of the pipeline and return whether it succeeded. An exception is one more problem of the run."""
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - the run goes on, and its end raises the error
            self.problems.append(_caught(error))
            return False
        return True

    def stage(self, stage: Stage, canceled: Callable[[], bool] = lambda: False) -> None:
        """Run one stage and record its result; its exception propagates.

        Args:
            stage: the stage.
            canceled: returns whether the pipeline stops the stage, which then ends with an exception of its own.
        """
        ctx = self.ctx
        ctx.emit(e.StageStarted(stage=stage))
        started = time.monotonic() - self.begin
        outcome = Outcome.FAILED
        facts = ctx.facts.setdefault(stage, {})
        findings: tuple[Finding, ...] = ()
        try:
            report = self.functions[stage](ctx, self.results)
            self.results.store(report.result)
            outcome, facts, findings = report.outcome, dict(report.facts), report.findings
        except BaseException as error:
            if isinstance(error, NotReady | WrongInput):
                findings = error.findings
            if isinstance(error, KeyboardInterrupt) or canceled():
                outcome = Outcome.INTERRUPTED
            raise
        finally:
            result = StageResult(
                stage=stage,
                outcome=outcome,
                started=round(started, 3),
                seconds=round(time.monotonic() - self.begin - started, 3),
                facts=facts,
                findings=findings,
            )
            with self.lock:
                self.stages.append(result)
            ctx.emit(e.StageEnded(stage=stage, outcome=outcome, seconds=result.seconds, facts=facts))

    def chain(self, stages: Sequence[Stage], canceled: Callable[[], bool] = lambda: False) -> None:
        for stage in stages:
            if self.ctx.canceled.is_set():
                return
            self.stage(stage, canceled)

    def group(self, chains: Sequence[Sequence[Stage]]) -> None:
        """Run chains concurrently; the first failure is raised."""
        if len(chains) == 1:
            self.chain(chains[0])
            return
        pool, stopped = ThreadPoolExecutor(len(chains)), threading.Event()
        futures, failed = list[Future[None]](), list[BaseException]()
        try:
            # In here, because a signal may arrive when the first chain runs and the last one does not yet.
            for chain in chains:
                futures.append(pool.submit(self.chain, chain, stopped.is_set))
            pending = set(futures)
            while pending and not failed:
                finished, pending = wait(futures, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
                failed = [error for future in finished if (error := future.exception())]
        except BaseException:
            stopped.set()
            self.cancel()
            wait(futures, timeout=_CANCEL_SECONDS)
            raise
        else:
            if failed:
                stopped.set()
                self.cancel()
                wait(pending, timeout=_CANCEL_SECONDS)
                raise failed[0]
        finally:
            pool.shutdown(wait=False)

    def groups(self, plan: Groups) -> None:
        """Run all stages but the end stages."""
        for group in plan:
            if not any(stage in _END_STAGES for chain in group for stage in chain):
                self.group(group)

    def judge(self) -> None:
        """Decide whether the run failed, and what happens to the environment."""
        ctx, tests = self.ctx, self.results.find(TestRun)
        if tests is not None and tests.interrupted is not None:
            self.problems.append(tests.interrupted)
        self.results.failed = bool(self.problems) or (tests is not None and tests.verdict.exit is not ExitCode.PASSED)
        usable = (self.results.find(RunningCluster) or self.results.find(StartedProject)) is not None
        self.fate = fate_of(ctx.record, keep=ctx.keep, usable=usable, failed=self.results.failed)

    def ends(self, stages: Sequence[Stage]) -> None:
        """Run the end stages, each of them whatever the others raise.

        The first Ctrl-C of a run does not interrupt them: the user may have meant a stage that had just ended.
        """
        interrupted = threading.Event()
        if any(isinstance(error, KeyboardInterrupt) for error in self.problems):
            interrupted.set()
        with defer_signals(interrupted) as deferred:
            for stage in stages:
                if stage is Stage.TEARDOWN and self.fate is not Fate.REMOVED:
                    continue
                if not self.attempt(partial(self.stage, stage)) and stage is Stage.TEARDOWN:
                    # The next command removes the rest.
                    self.fate = Fate.LEFT
        if deferred.first is not None:
            self.problems.append(deferred.first())

    def cancel(self) -> None:
        """Cancel all running stages and programs."""
        self.ctx.canceled.set()
        self.ctx.env.processes.stop()


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that ended.

    Attributes:
        fate: what happened to the environment.
        problem: the error that stopped it, the worst of several; None if all stages ended.
        bugs: other errors that are bugs of seatrial.
    """

    result: RunResult
    fate: Fate
    problem: BaseException | None
    bugs: tuple[BaseException, ...] = ()


def execute(
    ctx: C,
    plan: Groups,
    *,
    peak: Callable[[], int],
    lost: Callable[[], Sequence[BaseException]] = tuple,
    functions: Functions[C],
) -> FinishedRun:
    """Run a plan and return its result. Whatever is raised on the way, the end stages run and result.json is written.

    Args:
        ctx: the run.
        plan: its stages; the end stages, collect and teardown, run also after a failure.
        peak: returns the most memory that was in use so far, in bytes.
        lost: returns why the record of the run has gaps.
        functions: what runs a stage.
    """
    run = _Run(ctx, functions)
    stages = tuple(stage for group in plan for chain in group for stage in chain)
    started = e.RunStarted(
        environment=ctx.record.id,
        command=ctx.selection.command_line(*ctx.command),
        stages=stages,
        directory=str(ctx.run_dir),
        selection=ctx.selection,
    )
    if not (run.attempt(lambda: ctx.emit(started)) and run.attempt(lambda: run.groups(plan))):
        run.attempt(run.cancel)
    run.attempt(ctx.env.processes.resume)
    run.attempt(run.judge)
    run.attempt(lambda: run.ends([stage for stage in stages if stage in _END_STAGES]))
    run.attempt(lambda: run.problems.extend(map(_caught, lost())))
    run.attempt(lambda: setattr(run, "peak", peak()))
    result = _result(run)
    try:
        _write(ctx.run_dir / "result.json", result)
    except OSError as error:
        run.problems.append(
            EnvironmentFailed(f"cannot write {ctx.run_dir / 'result.json'}", reason=str(error.strerror), hint=_DISK)
        )
        result = _result(run)
    ctx.emit(e.RunEnded(result=result))
    problem = min(run.problems, key=_severity, default=None)
    if isinstance(problem, SeatrialError):
        problem.shown = True
    bugs = (each for each in run.problems if not isinstance(each, SeatrialError | KeyboardInterrupt | BrokenPipeError))
    return FinishedRun(result, run.fate, problem, tuple(each for each in bugs if each is not problem))


def _write(path: Path, result: RunResult) -> None:
    """Write a result atomically."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(safe_struct(result)), indent=1) + b"\n")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error."""
    if isinstance(error, SeatrialError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.ENVIRONMENT


def _severity(error: BaseException) -> int:
    return _rank(code_of(error))


def _rank(code: ExitCode) -> int:
    # Exit codes of pytest plugins concern tests.
    return _BY_SEVERITY.index(ExitCode.TESTS_FAILED if code in FOREIGN_CODES else code)


def _result(run: _Run[C]) -> RunResult:
    ctx, results = run.ctx, run.results
    tests, collected = results.find(TestRun), results.find(Collection)
    delivered = results.find(DeliveredImages) or results.find(StartedProject)
    wall = time.monotonic() - run.begin
    codes = [code_of(error) for error in run.problems] + ([tests.verdict.exit] if tests else [])
    code = min(codes, key=_rank, default=ExitCode.PASSED)
    worst = min(run.problems, key=_severity, default=None)
    stages = sorted(run.stages, key=lambda each: each.started)
    path = seconds_on_path(stages, wall)
    return RunResult(
        run=ctx.run,
        environment="compose" if ctx.record.provider == "compose" else "kubernetes",
        environment_id=ctx.record.id,
        started=ctx.started,
        seconds=round(wall, 3),
        exit=code,
        verdict=_verdict(tests, worst),
        problem=_problem(worst),
        counts=tests.counts if tests else Counts(),
        stages=tuple(replace(each, alone=round(path[each.stage], 3)) for each in stages),
        images=delivered.used if delivered else (),
        images_size=collected.images_size if collected else 0,
        versions=_versions(results),
        tree=tests.tree if tests else None,
        pod_changes=tests.pod_changes if tests else None,
        reports=tuple(map(str, tests.collected.reports)) if tests else (),
        peak_memory=run.peak,
        blame=tests.blames if tests else (),
        kept=run.fate is Fate.KEPT or (run.fate is Fate.LEFT and ctx.record.kept),
    )


def _versions(results: Results) -> dict[str, str]:
    found, cluster_ = results.find(Preflight) or results.find(ComposeFile), results.find(RunningCluster)
    versions = dict(found.versions) if found else {}
    return {**versions, "kubernetes": cluster_.version} if cluster_ else versions


def _problem(worst: BaseException | None) -> Problem | None:
    if worst is None or isinstance(worst, KeyboardInterrupt):
        return None
    if isinstance(worst, SeatrialError):
        return Problem(message=worst.message, reason=worst.reason, hint=worst.hint, log=worst.log)
    if isinstance(worst, BrokenPipeError):
        return Problem(message=_failed(worst))
    return Problem(message=_failed(worst), reason="this is a bug of seatrial", hint="open an issue with the report")


def _failed(bug: BaseException) -> str:
    if isinstance(bug, BrokenPipeError):
        return "the reader of the output closed it"
    return f"internal error: {type(bug).__name__}: {bug}"


def _caught(error: BaseException) -> BaseException:
    """Return the error of a stage as it is raised at the end of the run; SystemExit is a bug like any other."""
    if isinstance(error, Exception | KeyboardInterrupt):
        return understood(error)
    bug = RuntimeError(f"{type(error).__name__}: {error}")
    bug.__cause__ = error
    return bug


def _verdict(tests: TestRun | None, worst: BaseException | None) -> str:
    if worst is not None:
        if isinstance(worst, KeyboardInterrupt):
            return "interrupted"
        return worst.message if isinstance(worst, SeatrialError) else _failed(worst)
    if tests is not None:
        return tests.verdict.text
    return "the environment is up"
