"""The teardown stage."""

from __future__ import annotations

import pytest
from seatrial.model.errors import EnvironmentFailed
from seatrial.stages import teardown


class TestTeardown:
    def test_newest_is_removed_first(self, world):
        ctx, done = world.ctx(), []
        for name in ("a", "b"):
            ctx.undo.push(name, lambda _, name=name: done.append(name))

        assert teardown.run(ctx).facts == {"removed": "b, a"}
        assert done == ["b", "a"]

    def test_failed_step_does_not_prevent_the_others(self, world):
        ctx, done = world.ctx(), []
        ctx.undo.push("a", lambda _: done.append("a"))

        def fails(_):
            raise EnvironmentFailed("docker is gone")

        ctx.undo.push("b", fails)
        with pytest.raises(EnvironmentFailed) as caught:
            teardown.run(ctx)
        assert done == ["a"]
        assert caught.value.reason == "b: docker is gone"
