"""The Kubernetes environment."""

from __future__ import annotations

from seatrial.environments.kubernetes import Kubernetes
from seatrial.model.result import Stage


def test_plan_without_tests_has_all_other_stages(world):
    env: Kubernetes = world.env()

    assert ((Stage.TEST,),) in env.plan
    assert [step for step in env.plan if step not in env.plan_without_tests] == [((Stage.TEST,),)]
    assert env.name == "kubernetes"
