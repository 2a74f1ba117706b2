from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
from fakes import World
from pipeline_runs import PLAN, outcome, raising, ran, run, usable, without_results, works
from seatrial.doubles import FakeClock, Recorded
from seatrial.model.errors import EnvironmentFailed, ExitCode, NotReady
from seatrial.model.event import RunEnded, RunStarted, StageStarted
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import RunId
from seatrial.model.result import Outcome, RunResult, Stage
from seatrial.model.selection import Selection
from seatrial.removal.keep import Fate
from seatrial.runner.run_tests import TestRun
from seatrial.stages.cluster import RunningCluster
from seatrial.stages.context import done

from seatrial import pipeline


@pytest.fixture
def world(tmp_path):
    it = World(tmp_path)
    it.processes.resume = lambda: None
    return it


def test_stages_run_in_order(world):
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


def test_first_event_has_the_whole_command_line_and_its_selection(world):
    selection = Selection(project="p", namespace="pr-42")
    ctx = world.ctx(command=("test", "-x"), selection=selection)
    pipeline.execute(ctx, (), peak=lambda: 0, functions={})

    started = world.recorded.bodies[0]
    assert started.command == ("-C", "p", "test", "--namespace", "pr-42", "-x")
    assert started.selection == selection


def test_seconds_alone_count_overlapping_stages_once(world):
    def slow(function, seconds=0.2):
        return lambda ctx: (ctx.canceled.wait(seconds), function(ctx))[1]

    ended, _ = run(world, cluster=slow(usable), build=slow(works), test=slow(outcome(), 0.1))
    alone = sum(each.alone for each in ended.result.stages)

    # The rest is this machine's business between stages; the e2e tests hold the sum to 3 %.
    assert 0.25 < alone <= ended.result.seconds + 0.01
    assert sum(each.seconds for each in ended.result.stages) > alone, "cluster and build overlapped"


def test_chains_of_a_group_run_concurrently(world):
    both = threading.Barrier(2, timeout=5)

    def meets(function):
        return lambda ctx: (both.wait(), function(ctx))[1]

    ended, _ = run(world, cluster=meets(usable), build=meets(works))
    assert ended.problem is None


def test_failure_cancels_concurrent_stages(world):
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


def test_findings_are_recorded_with_their_stage(world):
    finding = Finding(cause="Crash", subject=ObjectRef(kind="Pod", name="web"), message="it crashed")
    ended, _ = run(world, test=raising(NotReady("web", [finding])))
    failed = next(each for each in ended.result.stages if each.stage is Stage.TEST)

    assert failed.findings == (finding,)


def recorded(world, *sinks):
    """Run all stages with real sinks."""
    recorder = pipeline.Recorder(RunId("r"), FakeClock(), sinks)
    ctx = world.ctx(keep="never", emit=recorder)
    functions = dict.fromkeys(Stage, works) | {Stage.CLUSTER: usable, Stage.TEST: outcome()}
    return pipeline.execute(
        ctx, PLAN, peak=lambda: 7, lost=recorder.lost, functions=without_results(world, functions)
    ), ctx


def test_plan_without_tests_reports_that_the_environment_is_up(world):
    ended, _ = run(world, keep="always", plan=PLAN[:2])

    assert ended.result.verdict == "the environment is up"
    assert ended.result.exit is ExitCode.PASSED


@pytest.mark.parametrize(
    ("keep", "teardown", "fate", "kept"),
    [
        ("always", None, Fate.KEPT, True),
        ("never", None, Fate.REMOVED, False),
        ("never", EnvironmentFailed("docker does not answer"), Fate.LEFT, False),
    ],
)
def test_result_tells_whether_the_environment_is_kept(world, keep, teardown, fate, kept):
    ended, _ = run(world, keep=keep, **({"teardown": raising(teardown)} if teardown else {}))

    assert (ended.fate, ended.result.kept) == (fate, kept)


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
def test_environment_is_kept_as_requested(world, keep, code, torn):
    run(world, keep=keep, test=outcome(code))

    assert (Stage.TEARDOWN in ran(world)) is torn


@pytest.mark.parametrize("keep", ["always", "on-failure"])
def test_unusable_cluster_is_not_kept(world, keep):
    run(world, keep=keep, cluster=raising(EnvironmentFailed("no")))

    assert Stage.TEARDOWN in ran(world)


def test_recorder_numbers_events_without_gaps():
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
    given: dict[Stage, Any] = dict.fromkeys(Stage, lambda _ctx, _results: done(None))
    given[Stage.CLUSTER] = lambda _ctx, _results: done(RunningCluster("v9", None))
    seen = []
    given[Stage.TEST] = lambda _ctx, results: done(seen.append(results.require(RunningCluster).version))
    ended = pipeline.execute(world.ctx(), PLAN, peak=lambda: 7, functions=given)

    assert seen == ["v9"]
    assert ended.result.versions == {"kubernetes": "v9"}
