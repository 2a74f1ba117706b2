"""The pipeline after interruptions, errors of stages and failed sinks: end stages, exit code and result."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

import msgspec
import pytest
from fakes import World
from msgspec.structs import replace
from pipeline_runs import PLAN, having_tested, outcome, raising, ran, run, usable, without_results, works
from seatrial.doubles import FakeClock
from seatrial.interruption import Terminated
from seatrial.model.errors import EnvironmentFailed, ExitCode, Inconclusive, OutOfTime
from seatrial.model.event import RunEnded, RunStarted, StageEnded, StageStarted
from seatrial.model.names import RunId
from seatrial.model.result import Outcome, RunResult, Stage
from seatrial.removal.keep import Fate
from seatrial.sinks.jsonl import JsonLines
from seatrial.stages.context import done

from seatrial import pipeline


@pytest.fixture
def world(tmp_path):
    it = World(tmp_path)
    it.processes.resume = lambda: None
    return it


def test_ctrl_c_ends_the_run_after_teardown(world):
    ended, _ = run(world, test=raising(KeyboardInterrupt()))

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert ended.result.verdict == "interrupted"
    assert isinstance(ended.problem, KeyboardInterrupt)
    assert ran(world)[-1] is Stage.TEARDOWN
    assert world.failed
    assert {body.outcome for body in world.recorded.of(StageEnded) if body.stage is Stage.TEST} == {"interrupted"}


def test_ctrl_c_ends_concurrent_stages(world):
    def interrupts(ctx):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert ctx.canceled.wait(5)
        return done(None)

    ended, _ = run(world, cluster=interrupts)
    assert ended.result.exit is ExitCode.INTERRUPTED


@pytest.mark.parametrize("error", [EnvironmentFailed("kind was stopped"), OutOfTime("canceled")])
def test_stages_that_ctrl_c_stops_are_interrupted(world, error):
    """Their programs are stopped, so they end with errors."""

    def interrupts(ctx):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert ctx.canceled.wait(5)
        raise error

    def stopped(ctx):
        assert ctx.canceled.wait(5)
        raise error

    ended, _ = run(world, cluster=interrupts, build=stopped)

    outcomes = {each.stage: each.outcome for each in ended.result.stages}
    assert outcomes[Stage.CLUSTER] == outcomes[Stage.BUILD] == Outcome.INTERRUPTED
    assert Stage.DELIVER not in outcomes
    assert outcomes[Stage.COLLECT] is Outcome.DONE
    assert ended.result.problem is None


def test_ctrl_c_while_stages_are_started_stops_the_first_ones(world, monkeypatch):
    running = threading.Event()

    class Pool(ThreadPoolExecutor):
        def submit(self, *args, **kwargs):
            if running.is_set():
                raise KeyboardInterrupt
            future = super().submit(*args, **kwargs)
            assert running.wait(5)
            return future

    def stopped(ctx):
        running.set()
        assert ctx.canceled.wait(5)
        raise OutOfTime("canceled")

    monkeypatch.setattr(pipeline, "ThreadPoolExecutor", Pool)
    ended, _ = run(world, cluster=stopped)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert {each.stage: each.outcome for each in ended.result.stages}[Stage.CLUSTER] == Outcome.INTERRUPTED


def test_only_the_stage_that_failed_is_failed(world):
    """Those that the pipeline stops for it are interrupted; the end stages are not concerned."""
    building = threading.Event()

    def fails(ctx):
        del ctx
        assert building.wait(5)
        raise EnvironmentFailed("no")

    def stopped(ctx):
        building.set()
        assert ctx.canceled.wait(5)
        raise OutOfTime("canceled")

    ended, _ = run(world, cluster=fails, build=stopped, collect=raising(EnvironmentFailed("no logs")))

    outcomes = {each.stage: each.outcome for each in ended.result.stages}
    assert (outcomes[Stage.CLUSTER], outcomes[Stage.BUILD]) == (Outcome.FAILED, Outcome.INTERRUPTED)
    assert (outcomes[Stage.COLLECT], outcomes[Stage.TEARDOWN]) == (Outcome.FAILED, Outcome.DONE)


def test_failed_stage_reports_the_facts_that_it_knew(world):
    def fails(ctx):
        ctx.fact(Stage.BUILD, "web", "web:1")
        raise EnvironmentFailed("db cannot be built")

    ended, _ = run(world, build=fails)

    (build,) = [each for each in ended.result.stages if each.stage is Stage.BUILD]
    assert (build.outcome, build.facts) == (Outcome.FAILED, {"web": "web:1"})
    (event,) = [body for body in world.recorded.of(StageEnded) if body.stage is Stage.BUILD]
    assert event.facts == {"web": "web:1"}


def test_report_of_a_stage_replaces_its_earlier_facts(world):
    def builds(ctx):
        ctx.fact(Stage.BUILD, "web", "building")
        return done(None, {"web": "web:1"})

    ended, _ = run(world, build=builds)

    assert [each.facts for each in ended.result.stages if each.stage is Stage.BUILD] == [{"web": "web:1"}]


def test_second_ctrl_c_writes_a_result(world):
    ended, ctx = run(world, test=raising(KeyboardInterrupt()), teardown=raising(KeyboardInterrupt()))

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert (ctx.run_dir / "result.json").exists()


def test_first_ctrl_c_does_not_interrupt_end_stages(world):
    def interrupted(ctx):
        signal.raise_signal(signal.SIGINT)
        return done(None)

    ended, _ = run(world, collect=interrupted)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert [(body.stage, body.outcome) for body in world.recorded.of(StageEnded)][-2:] == [
        (Stage.COLLECT, "done"),
        (Stage.TEARDOWN, "done"),
    ]


def test_sigterm_in_end_stages_is_deferred(world):
    def terminated(ctx):
        signal.raise_signal(signal.SIGTERM)
        return done(None)

    ended, _ = run(world, collect=terminated)

    assert isinstance(ended.problem, Terminated)
    assert world.recorded.of(StageEnded)[-1].outcome == "done"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_interrupted_tests_keep_their_counts(world, kind):
    ended, _ = run(world, test=having_tested(ExitCode.INTERRUPTED, interrupted=kind()))

    assert (ended.result.exit, type(ended.problem)) == (ExitCode.INTERRUPTED, kind)
    assert ended.result.counts.passed == 3


@pytest.mark.parametrize("code", [ExitCode.INTERRUPTED, ExitCode(42), ExitCode(6)])
def test_exit_code_of_pytest_is_that_of_the_run(world, code):
    """`pytest.exit()` does not end the process with 130."""
    ended, ctx = run(world, test=having_tested(code))

    assert (ended.result.exit, ended.problem, world.failed) == (code, None, True)
    assert json.loads((ctx.run_dir / "result.json").read_bytes())["exit"] == code


def test_exit_code_of_a_plugin_has_the_severity_of_failed_tests(world):
    broken = raising(EnvironmentFailed("no"))

    assert run(world, test=having_tested(ExitCode(42)), teardown=broken)[0].result.exit is ExitCode.ENVIRONMENT


def test_second_ctrl_c_interrupts_end_stages(world):
    def interrupted(ctx):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    ended, _ = run(world, test=raising(KeyboardInterrupt()), teardown=interrupted)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert world.recorded.of(StageEnded)[-1].outcome == "interrupted"


def test_failed_teardown_is_not_a_success(world):
    ended, _ = run(world, teardown=raising(EnvironmentFailed("something could not be removed")))

    assert ended.result.exit is ExitCode.ENVIRONMENT


@pytest.mark.parametrize(
    ("code", "other", "exit_code"),
    [
        (ExitCode.TESTS_FAILED, None, ExitCode.TESTS_FAILED),
        (ExitCode.INCONCLUSIVE, None, ExitCode.INCONCLUSIVE),
        (ExitCode.TESTS_FAILED, EnvironmentFailed("x"), ExitCode.ENVIRONMENT),
        (ExitCode.INCONCLUSIVE, EnvironmentFailed("x"), ExitCode.INCONCLUSIVE),
        (ExitCode.PASSED, OutOfTime("x"), ExitCode.OUT_OF_TIME),
        (ExitCode.TESTS_FAILED, Inconclusive("x"), ExitCode.INCONCLUSIVE),
        (ExitCode.TESTS_FAILED, ZeroDivisionError("x"), ExitCode.ENVIRONMENT),
    ],
)
def test_most_severe_exit_code_is_that_of_the_run(world, code, other, exit_code):
    ended, _ = run(world, test=outcome(code, "it"), **({"collect": raising(other)} if other else {}))

    assert ended.result.exit is exit_code


@pytest.mark.parametrize("first", [EnvironmentFailed("broken"), OutOfTime("late")])
def test_exit_code_10_takes_precedence_over_11(world, first):
    second = OutOfTime("late") if isinstance(first, EnvironmentFailed) else EnvironmentFailed("broken")
    ended, _ = run(world, collect=raising(first), teardown=raising(second))

    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.result.verdict == "broken"


UNFORESEEN = [
    ZeroDivisionError("division by zero"),
    RecursionError("too deep"),
    MemoryError(),
    AssertionError("the cluster stage comes first"),
    SystemExit(0),
    GeneratorExit(),
    BrokenPipeError(32, "Broken pipe"),
]


STAGES = [Stage.PREFLIGHT, Stage.CLUSTER, Stage.BUILD, Stage.DELIVER, Stage.TEST, Stage.COLLECT, Stage.TEARDOWN]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
def test_exception_in_any_stage_runs_end_stages_and_writes_the_result(world, stage, error):
    ended, ctx = run(world, **{stage.value: raising(error)})

    assert ran(world)[-2:] == [Stage.COLLECT, Stage.TEARDOWN]
    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.problem is error or ended.problem.__cause__ is error, "raised afterwards, with its traceback"
    written = msgspec.json.decode((ctx.run_dir / "result.json").read_bytes(), type=RunResult)
    assert written.exit is ExitCode.ENVIRONMENT
    assert written.problem.message
    outcomes = {each.stage: each.outcome for each in written.stages}
    assert outcomes[stage] is Outcome.FAILED


def test_unexpected_error_during_an_interruption_is_reported(world):
    bug = ZeroDivisionError("x")
    ended, _ = run(world, test=raising(KeyboardInterrupt()), collect=raising(bug))

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert ended.bugs == (bug,)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.ENOENT, "No such file or directory"),
    ],
)
def test_file_system_error_is_not_a_bug(world, number, message):
    ended, _ = run(world, deliver=raising(OSError(number, message, "/state/pushed.json")))

    assert (ended.problem.message, ended.problem.reason) == ("cannot use /state/pushed.json", message)
    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.bugs == ()


def test_unwritable_result_is_not_a_success(world):
    def fills_the_disk(ctx):
        (ctx.run_dir / "result.json.new").mkdir()
        return done(None)

    ended, ctx = run(world, teardown=fills_the_disk)

    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.problem.message == f"cannot write {ctx.run_dir / 'result.json'}"


class Full:
    """A file on a full disk, or a pipe without a reader."""

    def __init__(self, error):
        self.error = error

    def write(self, data):
        del data
        raise self.error

    def flush(self):
        pass


def recorded(world, *sinks):
    """Run all stages with real sinks."""
    recorder = pipeline.Recorder(RunId("r"), FakeClock(), sinks)
    ctx = world.ctx(keep="never", emit=recorder)
    functions = dict.fromkeys(Stage, works) | {Stage.CLUSTER: usable, Stage.TEST: outcome()}
    return pipeline.execute(
        ctx, PLAN, peak=lambda: 7, lost=recorder.lost, functions=without_results(world, functions)
    ), ctx


def test_failed_event_file_is_not_a_success(world):
    ended, ctx = recorded(world, JsonLines(cast("BinaryIO", Full(OSError(errno.ENOSPC, "No space left on device")))))

    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.problem.message == "cannot write the event stream"
    assert len(ended.result.stages) == len(STAGES)
    assert (ctx.run_dir / "result.json").exists()


def test_failed_terminal_does_not_change_the_result(world):
    other = []

    def full(event):
        raise BrokenPipeError(32, f"Broken pipe after {event.seq}")

    ended, _ = recorded(world, full, other.append)

    assert ended.result.exit is ExitCode.PASSED
    assert isinstance(other[-1].body, RunEnded)


def test_failed_sink_stops_no_stage_and_is_reported(world):
    bug = KeyError("color")

    def broken(event):
        del event
        raise bug

    ended, _ = recorded(world, broken)

    assert len(ended.result.stages) == len(STAGES)
    assert ended.problem is bug


@pytest.mark.parametrize("step", ["emit", "cancel", "resume", "peak", "lost"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()], ids=lambda error: type(error).__name__)
def test_exception_between_stages_still_reaches_the_end_stages_and_the_result(world, step, error):
    """For example a second Ctrl-C while the programs of a failed stage are stopped."""
    recorded = world.recorded

    def emit(body):
        recorded(body)
        if step == "emit" and isinstance(body, RunStarted):
            raise error

    world.recorded = emit
    if step in ("cancel", "resume"):
        setattr(world.processes, "stop" if step == "cancel" else step, lambda: raising(error)(None))
    ctx = world.ctx()
    functions = dict.fromkeys(Stage, works) | {Stage.TEST: raising(EnvironmentFailed("no"))}
    ended = pipeline.execute(
        ctx,
        PLAN,
        peak=lambda: raising(error)(None) if step == "peak" else 7,
        lost=lambda: raising(error)(None) if step == "lost" else (),
        functions=without_results(world, functions),
    )

    assert [body.stage for body in recorded.of(StageStarted)][-2:] == [Stage.COLLECT, Stage.TEARDOWN]
    assert error in (ended.problem, *ended.bugs)
    written = msgspec.json.decode((ctx.run_dir / "result.json").read_bytes(), type=RunResult)
    assert written.exit is (ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.ENVIRONMENT)
    assert isinstance(recorded.bodies[-1], RunEnded)


def test_interrupt_before_the_first_stage_does_not_remove_a_kept_environment(world):
    world.record = replace(world.record, kept=True)
    ended, _ = run(world, keep="always", preflight=raising(KeyboardInterrupt()))

    assert Stage.TEARDOWN not in ran(world)
    assert (ended.fate, ended.result.kept) == (Fate.LEFT, True)
