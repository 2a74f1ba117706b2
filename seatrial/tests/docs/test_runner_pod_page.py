"""`docs/reference/runner-pod.md` says what `runner_objects` makes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from seatrial.model.spec import RunnerSpec
from seatrial.pod.agent.run_command import environment
from seatrial.ports import LocalImage
from seatrial.runner.protocol import CI_VARIABLES
from seatrial.runner_pod.manifest import PodInputs, runner_objects

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "runner-pod.md").read_text()
ROWS = {name.strip(): text.strip() for name, text in re.findall(r"^\|([^|]+)\|([^|]+)\|$", PAGE, re.MULTILINE)}


def pod(*, user: str = "", **settings: Any) -> dict[str, Any]:
    local = LocalImage(reference="t:1", digest="sha256:a", size=1, labels={}, workdir="/app", env={}, user=user)
    shape = PodInputs(
        image="t:1",
        digest="sha256:m",
        local=local,
        agent={},
        directories=("tests",),
        labels={"seatrial.dev/project": "p-1"},
    )
    spec: dict[str, Any] = runner_objects(RunnerSpec(image="t", namespace="shop", **settings), shape)[-1]["spec"]
    return spec


def container_of_tests(**settings: Any) -> dict[str, Any]:
    return next(each for each in pod(**settings)["containers"] if each["name"] == "tests")


def test_containers_of_the_page_are_those_of_the_pod():
    spec = pod()

    names = [each["name"] for each in (*spec["initContainers"], *spec["containers"])]
    assert names == [name.strip("`") for name in ROWS if name in {"`seed`", "`tests`", "`keeper`"}]


@pytest.mark.parametrize(("user", "number"), [("1001:5", 1001), ("0", 1000), ("", 1000), ("app", 1000)])
def test_user_of_the_page_is_that_of_the_pod(user, number):
    assert ROWS["user and group"] == "the image's `USER` if it is a number other than 0, else 1000"
    assert ROWS["`fsGroup`"] == "the same number"

    context = pod(user=user)["securityContext"]
    assert [context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")] == [number] * 3


def test_rights_of_the_page_are_those_of_the_pod():
    spec = pod()

    assert ROWS["capabilities"] == 'none: `drop: ["ALL"]`'
    assert ROWS["privilege escalation"] == "not allowed"
    for each in (*spec["initContainers"], *spec["containers"]):
        assert each["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert ROWS["root"] == "refused: `runAsNonRoot: true`"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert ROWS["seccomp profile"] == f"`{spec['securityContext']['seccompProfile']['type']}`"
    assert ROWS["end of the pod"].startswith("never restarted")
    assert spec["restartPolicy"] == "Never"
    assert "250m and 256Mi requested, at most 2Gi of memory" in ROWS["CPU and memory"]
    assert container_of_tests()["resources"] == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"memory": "2Gi"},
    }


@pytest.mark.parametrize(
    ("settings", "mounted"),
    [
        ({}, False),
        ({"rules": ({"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)},)}, True),
        ({"service_account": "own"}, True),
        ({"isolated_namespaces": True}, True),
    ],
)
def test_token_is_mounted_only_with_rights(settings, mounted):
    assert ROWS["ServiceAccount token"] == "mounted only together with such rights"
    assert pod(**settings)["automountServiceAccountToken"] is mounted


def test_directories_of_the_page_are_those_of_the_pod():
    container = container_of_tests()

    assert container["workingDir"] == "/app"
    assert container_of_tests(workdir="/work")["workingDir"] == "/work"
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert set(mounts) == {"/app/tests", "/seatrial/run", "/seatrial/agent/seatrial_agent"}
    assert {path for path, read_only in mounts.items() if read_only} == {"/seatrial/agent/seatrial_agent"}
    assert "read-only" in ROWS["`/seatrial/agent`"]
    assert ROWS["`/seatrial/run`"].startswith("`HOME`")


def test_environment_of_the_page_is_that_of_the_container():
    settings: dict[str, Any] = {
        "env": {"A": "1"},
        "env_from": {"B": "secret/s/k", "C": "configmap/c/k", "D": "namespace"},
        "isolated_namespaces": True,
    }
    variables = {each["name"]: each for each in container_of_tests(**settings)["env"]}

    assert pod()["enableServiceLinks"] is False
    assert variables["HOME"]["value"] == "/seatrial/run"
    assert variables["SEATRIAL_LOCATION"]["value"] == ROWS["`SEATRIAL_LOCATION`"].strip("`")
    assert "`SEATRIAL_ISOLATED_ROLE`" in ROWS
    assert {name for name in variables if not name.startswith("SEATRIAL")} == {"HOME", "A", "B", "C", "D"}
    last = [each for each in container_of_tests(env={"HOME": "/app"})["env"] if each["name"] == "HOME"][-1]
    assert last["value"] == "/app", "Kubernetes takes the last of two values"
    assert ", ".join(f"`{name}`" for name in CI_VARIABLES) in ROWS


def test_agent_adds_only_the_coverage_file_to_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_STATE", str(tmp_path))
    given = environment({"run": "r"}, {"A": "1"})
    kept = environment({"run": "r"}, {"COVERAGE_FILE": "mine"})

    # The plugin takes the variables of pytest and Python back before tests are collected.
    restored = {"PYTHONPATH", "PYTEST_PLUGINS", "PYTEST_ADDOPTS"}
    assert {name for name in given if not name.startswith("SEATRIAL")} - restored == {"A", "COVERAGE_FILE"}
    assert kept["COVERAGE_FILE"] == "mine"
