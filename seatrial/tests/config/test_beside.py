from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from seatrial.config.beside import beside
from seatrial.model.errors import UsageError
from seatrial.model.spec import Project, ReleaseSpec, RunnerSpec, ServiceSpec

PROJECT = Project(
    root=Path("/project"),
    runner=RunnerSpec(image="x:1", namespace="shop"),
    release=(
        ReleaseSpec(name="db", chart="c", namespace="data", set={"a": "1", "b": "1"}, set_beside={"b": "2"}),
        ReleaseSpec(name="web", chart="c", namespace="shop"),
    ),
    service={"db": ServiceSpec(port=5432, namespace="data"), "web": ServiceSpec(port=80)},
)


def test_its_own_namespace_gets_the_name_and_the_others_begin_with_it():
    moved = beside(PROJECT, "pr-42")

    assert moved.runner.namespace == "pr-42"
    assert [each.namespace for each in moved.release] == ["pr-42-data", "pr-42"]
    assert moved.service["db"].namespace == "pr-42-data"
    assert moved.service["web"].namespace is None


def test_what_only_one_can_have_is_set_otherwise():
    assert beside(PROJECT, "pr-42").release[0].set == {"a": "1", "b": "2"}
    assert PROJECT.release[0].set == {"a": "1", "b": "1"}


@pytest.mark.parametrize("name", ["default", "kube-system", "PR-42", "pr_42", "x" * 60])
def test_what_no_namespace_can_be_called_is_refused(name):
    with pytest.raises(UsageError, match="namespace"):
        beside(PROJECT, name)


def test_names_of_the_tests_own_namespaces_are_refused():
    assert beside(PROJECT, "test-42").runner.namespace == "test-42"
    isolating = replace(PROJECT, runner=replace(PROJECT.runner, isolated_namespaces=True))

    assert beside(isolating, "pr-42").runner.namespace == "pr-42"
    with pytest.raises(UsageError, match="namespace 'test-42' begins with test-"):
        beside(isolating, "test-42")
