from __future__ import annotations

from pathlib import Path

from compose.fake_compose import FakeCompose
from fakes import FakeImages
from seatrial.doubles import FakeClock, FakeProcesses
from seatrial.environments.compose import Compose
from seatrial.model.result import Stage
from seatrial.ports import EngineInfo

from seatrial import pipeline


def environment():
    return Compose(
        compose=FakeCompose(),
        images=FakeImages(),
        processes=FakeProcesses({}),
        clock=FakeClock(),
        directory=Path("/none"),
        shared=Path("/none"),
        engine_info=lambda: EngineInfo(version=""),
    )


def test_each_stage_of_the_plan_has_a_function():
    stages = {stage for group in environment().plan for chain in group for stage in chain}

    assert stages == pipeline.COMPOSE_STAGES.keys()


def test_plan_without_tests_ends_with_collect_and_teardown():
    plan = environment().plan_without_tests

    assert ((Stage.TEST,),) not in plan
    assert plan[-2:] == (((Stage.COLLECT,),), ((Stage.TEARDOWN,),))
