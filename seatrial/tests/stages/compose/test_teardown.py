from __future__ import annotations

from seatrial.model.deadline import Deadline
from seatrial.stages import teardown


def test_project_is_removed(world):
    world.keep()
    report = teardown.run(world.ctx(), Deadline.after(5))

    assert world.compose.log == ["remove"]
    assert report.facts == {"removed": "Compose project shop-aa"}


def test_nothing_is_removed_before_a_resource_was_recorded(world):
    teardown.run(world.ctx(), Deadline.after(5))

    assert world.compose.log == []
