from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from seatrial.config.guest import guest_project
from seatrial.model.errors import UsageError
from seatrial.model.spec import Project, ReleaseSpec, RunnerSpec, ServiceSpec

PROJECT = Project(
    root=Path("/project"),
    runner=RunnerSpec(image="x:1", namespace="shop"),
    release=(
        ReleaseSpec(name="db", chart="c", namespace="data", set={"a": "1", "b": "1"}, set_guest={"b": "2"}),
        ReleaseSpec(name="web", chart="c", namespace="shop"),
    ),
    service={"db": ServiceSpec(port=5432, namespace="data"), "web": ServiceSpec(port=80)},
)


def test_guest_project_moves_the_runner_to_the_name_and_others_below_it():
    moved = guest_project(PROJECT, "pr-42")

    assert moved.runner.namespace == "pr-42"
    assert [each.namespace for each in moved.release] == ["pr-42-data", "pr-42"]
    assert moved.service["db"].namespace == "pr-42-data"
    assert moved.service["web"].namespace is None


def test_guest_project_adds_the_values_of_set_guest():
    assert guest_project(PROJECT, "pr-42").release[0].set == {"a": "1", "b": "2"}
    assert PROJECT.release[0].set == {"a": "1", "b": "1"}


@pytest.mark.parametrize("name", ["default", "kube-system", "PR-42", "pr_42", "x" * 60])
def test_guest_project_refuses_invalid_namespaces(name):
    with pytest.raises(UsageError, match="namespace"):
        guest_project(PROJECT, name)


def test_guest_project_refuses_the_prefix_of_isolated_namespaces():
    assert guest_project(PROJECT, "test-42").runner.namespace == "test-42"
    isolating = replace(PROJECT, runner=replace(PROJECT.runner, isolated_namespaces=True))

    assert guest_project(isolating, "pr-42").runner.namespace == "pr-42"
    with pytest.raises(UsageError, match="namespace 'test-42' begins with test-"):
        guest_project(isolating, "test-42")
