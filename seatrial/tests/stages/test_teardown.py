"""The teardown stage."""

from __future__ import annotations

import pytest
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import StageProgress
from seatrial.stages import teardown


@pytest.fixture
def ctx(world):
    ctx = world.ctx()
    ctx.resources.add(Created(kind="container", name="registry"))
    ctx.resources.add(Created(kind="cluster", name="it"))
    return ctx


def test_all_resources_are_removed_and_named(world, ctx):
    assert teardown.run(ctx, Deadline.after(30)).facts == {"removed": "cluster it, registry registry"}
    assert (world.cluster.log, world.removed) == (["delete"], 1)
    assert [body.text for body in world.recorded.of(StageProgress)] == [
        "removing cluster it",
        "removing registry registry",
    ]


def test_resource_that_cannot_be_removed_is_named(world, ctx):
    def delete(*, deadline):
        raise EnvironmentFailed("docker does not answer")

    world.cluster.delete = delete
    with pytest.raises(EnvironmentFailed) as caught:
        teardown.run(ctx, Deadline.after(30))
    assert caught.value.reason == "cluster it: docker does not answer"
    assert world.removed == 1


def test_resource_that_is_recorded_during_the_removal_is_removed_too(world, ctx):
    delete = world.cluster.delete

    def deletes(*, deadline):
        ctx.resources.add(Created(kind="cluster", name="it", identity="late"))
        delete(deadline=deadline)

    world.cluster.delete = deletes
    teardown.run(ctx, Deadline.after(30))

    assert world.cluster.log == ["delete", "delete"]
