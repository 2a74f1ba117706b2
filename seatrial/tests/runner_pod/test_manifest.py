"""The runner pod: least rights, and a digest that changes whenever the pod has to be recreated."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace as changed
from seatrial.model.spec import Resources
from seatrial.runner_pod.manifest import DIGEST, runner_objects, runner_policies

from .example_pods import LOCAL, SPEC, container, objects, pod, pod_inputs


def test_objects():
    made = runner_objects(SPEC, pod_inputs())

    assert [obj["kind"] for obj in made] == ["ServiceAccount", "ConfigMap", "Pod"]
    assert all(obj["metadata"]["namespace"] == "shop" for obj in made)
    assert all(obj["metadata"]["labels"] == {"seatrial.dev/owner": "seatrial", "app": "test-runner"} for obj in made)


def test_least_rights():
    spec = pod()["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1001,
        "runAsGroup": 1001,
        "fsGroup": 1001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for each in [*spec["containers"], *spec["initContainers"]]:
        assert each["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_rights_that_are_asked_for():
    rule = {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)}
    made = objects(changed(SPEC, rules=(rule,)))

    assert made["Role"]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    assert made["RoleBinding"]["subjects"][0]["name"] == "test-runner"
    assert made["Pod"]["spec"]["automountServiceAccountToken"] is True


def test_service_account_of_the_user():
    made = objects(changed(SPEC, service_account="theirs"))

    assert "ServiceAccount" not in made
    assert made["Pod"]["spec"]["serviceAccountName"] == "theirs"


@pytest.mark.parametrize(
    ("user", "runs_as"), [("1001:0", 1001), ("", 1000), ("0", 1000), ("root", 1000), ("app", 1000)]
)
def test_user(user, runs_as):
    made = pod(local=dataclasses.replace(LOCAL, user=user))

    assert made["spec"]["securityContext"]["runAsUser"] == runs_as


def test_image_that_is_not_here():
    made = pod(local=None)

    assert made["spec"]["securityContext"]["runAsUser"] == 1000
    assert "workingDir" not in made["spec"]["containers"][0]


def test_working_directory_of_the_configuration_wins():
    assert container("tests", changed(SPEC, workdir="/work"))["workingDir"] == "/work"
    assert container("tests")["workingDir"] == "/app"


def test_environment():
    env = {each["name"]: each for each in container("tests")["env"]}

    assert env["SEATRIAL_LOCATION"]["value"] == "pod"
    assert env["A"]["value"] == "1"
    assert env["P"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "password"}}
    assert env["C"]["valueFrom"] == {"configMapKeyRef": {"name": "c", "key": "k"}}
    assert env["N"]["value"] == "shop"
    assert "P" not in {each["name"] for each in container("keeper")["env"]}, "the keeper needs no secrets"


def test_resources():
    spec = changed(SPEC, resources=Resources(requests={"cpu": "1"}, limits={"memory": "3Gi"}))

    assert container("tests", spec)["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "3Gi"}}


def test_directories_are_seeded_into_a_volume():
    spec = pod(directories=("tests", "src"))["spec"]

    assert spec["initContainers"][0]["command"][-3:] == ["/seatrial/tree", "tests", "src"]
    mounts = {each["mountPath"]: each.get("subPath") for each in spec["containers"][0]["volumeMounts"]}
    assert (mounts["/app/tests"], mounts["/app/src"]) == ("tests", "src")


def test_nothing_to_seed():
    spec = pod(directories=())["spec"]

    assert "initContainers" not in spec
    assert [volume["name"] for volume in spec["volumes"]] == ["agent", "state"]


def test_the_digest_changes_with_all_that_matters_and_with_nothing_else():
    def digest(spec=SPEC, **more):
        return pod(spec, **more)["metadata"]["annotations"][DIGEST]

    assert digest() == digest()
    assert digest(labels={"seatrial.dev/expires": "9"}) == digest(), "labels say whose it is, not what"
    others = [
        digest(image="t:2"),
        digest(digest="sha256:other"),
        digest(agent={"agent.py": "2"}),
        digest(directories=()),
        digest(changed(SPEC, env={"A": "2"})),
    ]
    assert len({digest(), *others}) == 6


OWNED = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "p-1"}
ISOLATED = changed(SPEC, isolated_namespaces=True)


def test_namespaces_of_the_tests_own_are_asked_for():
    made = runner_objects(ISOLATED, pod_inputs(labels=OWNED))
    kinds = [obj["kind"] for obj in made]

    assert kinds[-1] == "Pod"
    assert kinds.count("ClusterRoleBinding") == 1, "what the tests may do in a namespace they get in that namespace"
    assert made[-1]["spec"]["automountServiceAccountToken"] is True
    assert {"name": "SEATRIAL_ISOLATED_ROLE", "value": "seatrial.shop.test-runner.inside"} in (
        made[-1]["spec"]["containers"][0]["env"]
    )
    # The policies come first, and the caller ensures that they are in force.
    assert not [kind for kind in kinds if "Admission" in kind]
    assert len(runner_policies(ISOLATED, pod_inputs(labels=OWNED))) == 8
    assert runner_policies(SPEC, pod_inputs()) == []


def test_other_rights_are_another_pod():
    def digest(spec=SPEC, **more):
        return runner_objects(spec, pod_inputs(labels=OWNED, **more))[-1]["metadata"]["annotations"][DIGEST]

    one = changed(SPEC, rules=({"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)},))
    other = changed(SPEC, rules=({"apiGroups": ("",), "resources": ("pods",), "verbs": ("list",)},))
    found = [digest(), digest(one), digest(other), digest(ISOLATED), digest(ISOLATED, shared=True)]
    assert len(set(found)) == 5
