"""Order, overlap, failures, the way back, exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from typing import BinaryIO, cast

import msgspec
import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.doubles import FakeClock, Recorded
from seatrial.interruption import Terminated
from seatrial.model.errors import EnvironmentFailed, ExitCode, Inconclusive, NotReady, OutOfTime
from seatrial.model.event import RunEnded, RunStarted, StageEnded, StageStarted
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import RunId
from seatrial.model.result import Counts, Outcome, RunResult, Stage
from seatrial.model.verdict import Verdict
from seatrial.removal.keep import Fate
from seatrial.runner.run_tests import TestRun
from seatrial.sinks.jsonl import JsonLines
from seatrial.stages.cluster import RunningCluster
from seatrial.stages.context import done

from seatrial import pipeline

PLAN = (
    ((Stage.PREFLIGHT,),),
    ((Stage.CLUSTER,), (Stage.BUILD, Stage.DELIVER)),
    ((Stage.TEST,),),
    ((Stage.COLLECT,),),
    ((Stage.TEARDOWN,),),
)


@pytest.fixture
def world(tmp_path):
    it = World(tmp_path)
    it.processes.resume = lambda: None
    return it


def works(ctx):
    del ctx
    return done(None)


def usable(ctx):
    del ctx
    return done(RunningCluster("v1.34.4", None))


def outcome(code=ExitCode.PASSED, message="all tests passed"):
    def run(ctx):
        del ctx
        return done(TestRun(verdict=Verdict(exit=code, message=message), counts=Counts(passed=3)))

    return run


def without_results(world, functions):
    """Return functions of stages that take no results. `world.failed` is what the last stage was told."""

    def adapted(function):
        def call(ctx, results):
            world.failed = results.failed
            return function(ctx)

        return call

    return {stage: adapted(function) for stage, function in functions.items()}


def run(world, keep="never", plan=PLAN, **functions):
    given = dict.fromkeys(Stage, works) | {Stage.CLUSTER: usable, Stage.TEST: outcome()}
    given |= {Stage(name): function for name, function in functions.items()}
    ctx = world.ctx(keep=keep)
    return pipeline.execute(ctx, plan, peak=lambda: 7, functions=without_results(world, given)), ctx


def raising(error):
    def fails(ctx):
        del ctx
        raise error

    return fails


def ran(world):
    return [body.stage for body in world.recorded.of(StageStarted)]


def test_everything_in_order(world):
    ended, ctx = run(world)

    assert ended.problem is None
    assert ran(world)[0] is Stage.PREFLIGHT
    assert ran(world)[-3:] == [Stage.TEST, Stage.COLLECT, Stage.TEARDOWN]
    assert ended.result.exit is ExitCode.PASSED
    assert ended.result.verdict == "all tests passed"
    assert ended.result.counts.passed == 3
    assert ended.result.peak_memory == 7
    written = msgspec.json.decode((ctx.run_dir / "result.json").read_bytes(), type=RunResult)
    assert written == ended.result
    assert isinstance(world.recorded.bodies[0], RunStarted)
    assert isinstance(world.recorded.bodies[-1], RunEnded)


def test_overlapping_stages_are_counted_once(world):
    def slow(function, seconds=0.2):
        return lambda ctx: (ctx.canceled.wait(seconds), function(ctx))[1]

    ended, _ = run(world, cluster=slow(usable), build=slow(works), test=slow(outcome(), 0.1))
    alone = sum(each.alone for each in ended.result.stages)

    # The rest is this machine's business between stages; the e2e tests hold the sum to 3 %.
    assert 0.25 < alone <= ended.result.seconds + 0.01
    assert sum(each.seconds for each in ended.result.stages) > alone, "cluster and build overlapped"


def test_chains_run_beside_each_other(world):
    both = threading.Barrier(2, timeout=5)

    def meets(function):
        return lambda ctx: (both.wait(), function(ctx))[1]

    ended, _ = run(world, cluster=meets(usable), build=meets(works))
    assert ended.problem is None


def test_a_failure_stops_what_runs_beside_it(world):
    begun, stopped = threading.Event(), threading.Event()

    def breaks(ctx):
        del ctx
        assert begun.wait(5)
        raise EnvironmentFailed("no cluster")

    def waits(ctx):
        begun.set()
        assert ctx.canceled.wait(5)
        stopped.set()
        return done(None)

    ended, _ = run(world, cluster=breaks, build=waits)

    assert stopped.is_set()
    assert world.processes.stopped
    assert Stage.DELIVER not in ran(world), "the chain ends"
    assert Stage.TEST not in ran(world)
    assert ran(world)[-2:] == [Stage.COLLECT, Stage.TEARDOWN]
    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.result.verdict == "no cluster"
    outcomes = {each.stage: each.outcome for each in ended.result.stages}
    assert outcomes[Stage.CLUSTER] is Outcome.FAILED


def test_findings_stay_with_their_stage(world):
    finding = Finding(cause="Crash", subject=ObjectRef(kind="Pod", name="web"), message="it crashed")
    ended, _ = run(world, test=raising(NotReady("web", [finding])))
    failed = next(each for each in ended.result.stages if each.stage is Stage.TEST)

    assert failed.findings == (finding,)


def test_ctrl_c(world):
    ended, _ = run(world, test=raising(KeyboardInterrupt()))

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert ended.result.verdict == "interrupted"
    assert isinstance(ended.problem, KeyboardInterrupt)
    assert ran(world)[-1] is Stage.TEARDOWN
    assert world.failed
    assert {body.outcome for body in world.recorded.of(StageEnded) if body.stage is Stage.TEST} == {"interrupted"}


def test_ctrl_c_while_chains_run(world):
    def interrupts(ctx):
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert ctx.canceled.wait(5)
        return done(None)

    ended, _ = run(world, cluster=interrupts)
    assert ended.result.exit is ExitCode.INTERRUPTED


def test_ctrl_c_twice_leaves_a_result(world):
    ended, ctx = run(world, test=raising(KeyboardInterrupt()), teardown=raising(KeyboardInterrupt()))

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert (ctx.run_dir / "result.json").exists()


def test_the_first_ctrl_c_does_not_keep_the_ends_from_being_reached(world):
    def interrupted(ctx):
        signal.raise_signal(signal.SIGINT)
        return done(None)

    ended, _ = run(world, collect=interrupted)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert [(body.stage, body.outcome) for body in world.recorded.of(StageEnded)][-2:] == [
        (Stage.COLLECT, "done"),
        (Stage.TEARDOWN, "done"),
    ]


def test_sigterm_at_the_end_is_noted_as_ctrl_c_is(world):
    def terminated(ctx):
        signal.raise_signal(signal.SIGTERM)
        return done(None)

    ended, _ = run(world, collect=terminated)

    assert isinstance(ended.problem, Terminated)
    assert world.recorded.of(StageEnded)[-1].outcome == "done"


def having_tested(code, **more):
    def test(ctx):
        del ctx
        return done(TestRun(verdict=Verdict(exit=code, message="x"), counts=Counts(passed=3), **more))

    return test


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_interrupted_tests_end_the_process_and_keep_their_counts(world, kind):
    ended, _ = run(world, test=having_tested(ExitCode.INTERRUPTED, interrupted=kind()))

    assert (ended.result.exit, type(ended.problem)) == (ExitCode.INTERRUPTED, kind)
    assert ended.result.counts.passed == 3


@pytest.mark.parametrize("code", [ExitCode.INTERRUPTED, ExitCode(42), ExitCode(6)])
def test_code_of_pytest_is_the_code_of_the_run(world, code):
    """Nobody interrupted anything: `pytest.exit()` does not end the process with 130."""
    ended, ctx = run(world, test=having_tested(code))

    assert (ended.result.exit, ended.problem, world.failed) == (code, None, True)
    assert json.loads((ctx.run_dir / "result.json").read_bytes())["exit"] == code


def test_foreign_code_counts_as_failed_tests_do(world):
    broken = raising(EnvironmentFailed("no"))

    assert run(world, test=having_tested(ExitCode(42)), teardown=broken)[0].result.exit is ExitCode.ENVIRONMENT


def test_the_second_one_does(world):
    def interrupted(ctx):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    ended, _ = run(world, test=raising(KeyboardInterrupt()), teardown=interrupted)

    assert ended.result.exit is ExitCode.INTERRUPTED
    assert world.recorded.of(StageEnded)[-1].outcome == "interrupted"


def test_teardown_that_fails_is_no_pass(world):
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
def test_the_worst_code_wins(world, code, other, exit_code):
    ended, _ = run(world, test=outcome(code, "it"), **({"collect": raising(other)} if other else {}))

    assert ended.result.exit is exit_code


@pytest.mark.parametrize("first", [EnvironmentFailed("broken"), OutOfTime("late")])
def test_exit_code_10_wins_over_11_in_either_order(world, first):
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
def test_any_exception_in_any_stage_still_reaches_collect_teardown_and_the_result(world, stage, error):
    ended, ctx = run(world, **{stage.value: raising(error)})

    assert ran(world)[-2:] == [Stage.COLLECT, Stage.TEARDOWN]
    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.problem is error or ended.problem.__cause__ is error, "raised afterwards, with its traceback"
    written = msgspec.json.decode((ctx.run_dir / "result.json").read_bytes(), type=RunResult)
    assert written.exit is ExitCode.ENVIRONMENT
    assert written.problem.message
    outcomes = {each.stage: each.outcome for each in written.stages}
    assert outcomes[stage] is Outcome.FAILED


def test_a_bug_beside_an_interruption_is_still_reported(world):
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
def test_an_error_of_the_file_system_is_a_message_and_no_bug(world, number, message):
    ended, _ = run(world, deliver=raising(OSError(number, message, "/state/pushed.json")))

    assert (ended.problem.message, ended.problem.reason) == ("cannot use /state/pushed.json", message)
    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.bugs == ()


def test_a_result_that_cannot_be_written_is_no_pass(world):
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


def test_a_record_of_events_with_a_gap_is_no_pass_and_stops_no_stage(world):
    ended, ctx = recorded(world, JsonLines(cast("BinaryIO", Full(OSError(errno.ENOSPC, "No space left on device")))))

    assert ended.result.exit is ExitCode.ENVIRONMENT
    assert ended.problem.message == "cannot write the event stream"
    assert len(ended.result.stages) == len(STAGES)
    assert (ctx.run_dir / "result.json").exists()


def test_a_screen_that_takes_no_more_text_changes_nothing(world):
    other = []

    def full(event):
        raise BrokenPipeError(32, f"Broken pipe after {event.seq}")

    ended, _ = recorded(world, full, other.append)

    assert ended.result.exit is ExitCode.PASSED
    assert isinstance(other[-1].body, RunEnded)


def test_a_renderer_with_a_bug_stops_no_stage_and_is_reported(world):
    bug = KeyError("color")

    def broken(event):
        del event
        raise bug

    ended, _ = recorded(world, broken)

    assert len(ended.result.stages) == len(STAGES)
    assert ended.problem is bug


def test_an_environment_without_tests(world):
    ended, _ = run(world, keep="always", plan=PLAN[:2])

    assert ended.result.verdict == "the environment is up"
    assert ended.result.exit is ExitCode.PASSED


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


@pytest.mark.parametrize(
    ("keep", "teardown", "fate", "kept"),
    [
        ("always", None, Fate.KEPT, True),
        ("never", None, Fate.REMOVED, False),
        ("never", EnvironmentFailed("docker is gone"), Fate.LEFT, False),
    ],
)
def test_result_tells_whether_the_environment_is_kept(world, keep, teardown, fate, kept):
    ended, _ = run(world, keep=keep, **({"teardown": raising(teardown)} if teardown else {}))

    assert (ended.fate, ended.result.kept) == (fate, kept)


def test_interrupt_before_the_first_stage_does_not_remove_a_kept_environment(world):
    world.record = replace(world.record, kept=True)
    ended, _ = run(world, keep="always", preflight=raising(KeyboardInterrupt()))

    assert Stage.TEARDOWN not in ran(world)
    assert (ended.fate, ended.result.kept) == (Fate.LEFT, True)


@pytest.mark.parametrize(
    ("keep", "code", "torn"),
    [
        ("never", ExitCode.PASSED, True),
        ("never", ExitCode.TESTS_FAILED, True),
        ("on-failure", ExitCode.PASSED, True),
        ("on-failure", ExitCode.TESTS_FAILED, False),
        ("always", ExitCode.PASSED, False),
    ],
)
def test_keep(world, keep, code, torn):
    run(world, keep=keep, test=outcome(code))

    assert (Stage.TEARDOWN in ran(world)) is torn


@pytest.mark.parametrize("keep", ["always", "on-failure"])
def test_a_cluster_that_never_was_of_use_is_not_kept(world, keep):
    run(world, keep=keep, cluster=raising(EnvironmentFailed("no")))

    assert Stage.TEARDOWN in ran(world)


def test_events_are_numbered_without_gaps():
    events = []
    record = pipeline.Recorder(RunId("r"), FakeClock(), [events.append, Recorded()])
    threads = [
        threading.Thread(target=lambda: [record(StageStarted(stage=Stage.TEST)) for _ in range(50)]) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [event.seq for event in events] == list(range(100))


class TestResults:
    def test_result_is_found_by_its_type(self):
        results, cluster = pipeline.Results(), RunningCluster("v1", None)
        results.store(cluster)
        results.store(None)

        assert results.find(RunningCluster) is results.require(RunningCluster) is cluster
        assert results.find(TestRun) is None

    def test_result_of_a_type_is_stored_once(self):
        results = pipeline.Results()
        results.store(RunningCluster("v1", None))

        with pytest.raises(AssertionError, match="RunningCluster is stored already"):
            results.store(RunningCluster("v2", None))

    def test_missing_result_that_a_stage_requires_is_an_error(self):
        with pytest.raises(AssertionError, match="no stage returned TestRun"):
            pipeline.Results().require(TestRun)


def test_results_are_passed_to_later_stages(world):
    given: dict[Stage, pipeline.Function] = dict.fromkeys(Stage, lambda _ctx, _results: done(None))
    given[Stage.CLUSTER] = lambda _ctx, _results: done(RunningCluster("v9", None))
    seen = []
    given[Stage.TEST] = lambda _ctx, results: done(seen.append(results.require(RunningCluster).version))
    ended = pipeline.execute(world.ctx(), PLAN, peak=lambda: 7, functions=given)

    assert seen == ["v9"]
    assert ended.result.versions == {"kubernetes": "v9"}
