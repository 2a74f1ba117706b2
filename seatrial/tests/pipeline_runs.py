"""Run the pipeline with functions instead of its stages."""

from __future__ import annotations

from seatrial.model.errors import ExitCode
from seatrial.model.event import StageStarted
from seatrial.model.result import Counts, Stage
from seatrial.model.verdict import Verdict
from seatrial.runner.run_tests import TestRun
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


def having_tested(code, **more):
    def test(ctx):
        del ctx
        return done(TestRun(verdict=Verdict(exit=code, message="x"), counts=Counts(passed=3), **more))

    return test
