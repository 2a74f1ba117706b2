from __future__ import annotations

import pytest
from msgspec.structs import replace
from seatrial.model.errors import UsageError
from seatrial.model.result import Outcome
from seatrial.stages.compose import preflight


def test_versions_and_file_are_read(world):
    report = preflight.run(world.ctx())

    assert report.result.versions == {"engine": "28.1", "compose": "2.40.3"}
    assert report.result.config == {"services": {"web": {"image": "web:1"}}}
    assert world.compose.log == ["config compose.yaml all"]


def test_project_without_compose_is_a_usage_error(world):
    with pytest.raises(UsageError, match=r"no table \[compose\]"):
        preflight.run(world.ctx(project=replace(world.project, compose=None)))


def test_variable_without_a_value_is_a_usage_error(world):
    runner = replace(world.project.runner, env_from={"URI": "secret/db/uri"})

    with pytest.raises(UsageError, match="variable URI of the tests has no value in Compose"):
        preflight.run(world.ctx(project=replace(world.project, runner=runner)))
    assert world.compose.log == []


def test_kept_environment_prestarts_the_test_command(world):
    world.keep()
    report = preflight.run(world.ctx(tests=True))

    assert report.outcome is Outcome.UNCHANGED
    assert report.result.prestarted is not None
    assert report.result.prestarted.take() is world.compose.pod.started[0]
