from __future__ import annotations

import pytest
from compose.fake_compose import container
from seatrial.model.errors import EnvironmentFailed
from seatrial.stages.compose import install, preflight, test
from seatrial.stages.context import done


@pytest.fixture
def runner(world, monkeypatch):
    """Run the stage without tests, and return the runner that they would run in."""
    found = []
    monkeypatch.setattr(test, "run_in", lambda ctx, runner, *, cut: found.append(runner) or done(None))
    ctx = world.ctx()
    test.run(ctx, install.run(ctx, preflight.run(ctx).result, world.built).result, cut=lambda _: None)
    return found[0]


def test_runner_is_named_in_the_header(runner):
    assert runner.where == "container test-runner of Compose project shop-aa"
    assert runner.directory == "/app"


def test_state_is_that_of_the_container(world, runner):
    world.compose.present = [container("test-runner", Running=False, Status="exited", ExitCode=137, OOMKilled=True)]
    assert (runner.state().state, runner.state().reason) == ("terminated", "OOMKilled")

    world.compose.present = []
    assert runner.state().state == "gone"


def test_container_runs_while_the_engine_does_not_answer(world, runner):
    def fails():
        raise EnvironmentFailed("docker failed")

    world.compose.containers = fails
    assert runner.state().state == "running"


def test_recreated_runner_is_waited_for(world, runner):
    runner.recreate()

    assert world.compose.log.count("up") == 2
