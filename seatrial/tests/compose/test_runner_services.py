from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from seatrial.compose.runner_services import DIGEST, RunnerInputs, keeper_of, runner_services
from seatrial.model.errors import UsageError
from seatrial.model.spec import ComposeSpec, Resources, RunnerSpec
from seatrial.ports import LocalImage

SPEC = RunnerSpec(
    image="t",
    workdir="/app",
    env={"A": "1$2"},
    env_from={"URI": "secret/db/uri", "PLACE": "namespace"},
    namespace="shop",
    resources=Resources(limits={"memory": "1Gi", "cpu": "500m"}),
)
COMPOSE = ComposeSpec(file=Path("compose.yaml"), env={"URI": "postgresql://db"})
IMAGE = LocalImage(reference="t:1", digest="sha256:1", size=1, labels={}, workdir="/srv", env={}, user="1234:0")
INPUTS = RunnerInputs(image="t:1", local=IMAGE, agent=Path("/agent"), agent_digest="1", directories=("tests", "src/a"))


def services(spec=SPEC, compose=COMPOSE, inputs=INPUTS):
    return runner_services(spec, compose, inputs)["services"]


def targets(service):
    return {each["target"]: each.get("read_only", False) for each in service["volumes"]}


def test_tests_run_as_the_user_of_the_image_without_capabilities():
    tests = services()["test-runner"]

    assert (tests["user"], tests["cap_drop"], tests["security_opt"]) == (
        "1234:1234",
        ["ALL"],
        ["no-new-privileges:true"],
    )
    assert tests["entrypoint"][-1] == "serve"
    assert tests["working_dir"] == "/app"
    assert tests["depends_on"] == {"test-runner-seed": {"condition": "service_completed_successfully"}}


def test_image_without_a_numeric_user_runs_as_the_default_user():
    assert services(inputs=replace(INPUTS, local=None))["test-runner"]["user"] == "1000:1000"


def test_variables_are_those_of_runner_and_compose():
    found = services()["test-runner"]["environment"]

    assert found["A"] == "1$$2"
    assert found["URI"] == "postgresql://db"
    assert found["PLACE"] == "shop"
    assert found["SEATRIAL_LOCATION"] == "compose"


def test_variable_from_the_cluster_without_a_value_is_an_error():
    with pytest.raises(UsageError, match="variable URI of the tests has no value in Compose") as caught:
        services(compose=ComposeSpec(file=Path("compose.yaml")))
    assert caught.value.hint == 'add URI = "…" to [compose.env]'


def test_limits_are_those_of_the_pod():
    tests = services()["test-runner"]

    assert (tests["mem_limit"], tests["cpus"]) == (str(1 << 30), 0.5)


def test_runner_without_limits_has_none():
    tests = services(spec=RunnerSpec(image="t", resources=Resources(limits={})))["test-runner"]

    assert not tests.keys() & {"mem_limit", "cpus"}


def test_keeper_reads_the_volumes_of_the_tests():
    keeper = services()[keeper_of("test-runner")]

    assert keeper["entrypoint"][-1] == "keep"
    assert targets(keeper) == {
        "/seatrial/agent/seatrial_agent": True,
        "/seatrial/run": False,
        "/app/tests": True,
        "/app/src/a": True,
    }


def test_seed_fills_the_volumes_as_root_for_the_user():
    seed = services()["test-runner-seed"]

    assert seed["user"] == "0:0"
    assert seed["cap_add"] == ["CHOWN", "SETGID", "SETUID"]
    assert seed["entrypoint"][-5:] == ["seed-as", "1234", "/seatrial/tree", "tests", "src/a"]
    assert {"/seatrial/tree/tests", "/seatrial/tree/src/a"} <= targets(seed).keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"local": replace(IMAGE, digest="sha256:2")},
        {"agent_digest": "2"},
        {"generation": 1},
        {"directories": ("tests",)},
    ],
)
def test_other_inputs_get_other_volumes(changes):
    before, after = (runner_services(SPEC, COMPOSE, each) for each in (INPUTS, replace(INPUTS, **changes)))

    assert not before["volumes"].keys() & after["volumes"].keys()
    assert before["services"]["test-runner"]["labels"][DIGEST] != after["services"]["test-runner"]["labels"][DIGEST]
