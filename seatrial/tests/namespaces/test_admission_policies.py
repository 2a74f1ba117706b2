"""Rights of tests in a cluster, and the admission policies that confine them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from seatrial.model.names import ISOLATED_PREFIX
from seatrial.model.spec import Project, RunnerSpec
from seatrial.namespaces.admission_policies import REFUSAL, isolation_policies, refused_namespace
from seatrial.namespaces.admission_policies import isolation_rights as runner_cluster_rights
from seatrial.pod.fixtures import isolated_objects as fixture
from seatrial.pod.fixtures.isolated_objects import PREFIX
from seatrial.runner.fixture_settings import fixture_settings, isolation_rights

from .admission_evaluator import Request, refusals

SPEC = RunnerSpec(image="t", namespace="shop", isolated_namespaces=True)
LABELS = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "p-1", "seatrial.dev/session": "aa"}
OURS = {"seatrial.dev/project": "p-1", "seatrial.dev/isolated-for": "shop"}
RUNNER = "system:serviceaccount:shop:test-runner"
CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"
RBAC = "rbac.authorization.k8s.io"

OWN = isolation_policies(SPEC, LABELS, shared=False)
SHARED = isolation_policies(SPEC, LABELS, shared=True)


def namespace(name="", labels=None, **meta):
    return {"metadata": {**({"name": name} if name else {}), **({"labels": labels} if labels else {}), **meta}}


def on_namespace(operation, name, labels=None, *, before=None, resource="namespaces", user=RUNNER):
    now = None if operation == "DELETE" else namespace(name, labels)
    old = None if operation == "CREATE" else namespace(name, labels if before is None else before)
    return Request(user=user, operation=operation, resource=resource, name=name, namespace=name, obj=now, old=old)


def on_binding(operation, where, labels=None, user=RUNNER):
    return Request(
        user=user,
        operation=operation,
        resource="rolebindings",
        group=RBAC,
        name="x",
        namespace=where,
        namespace_labels=labels or {},
        obj={"metadata": {"name": "x"}},
    )


def test_objects_are_those_of_the_recorded_file():
    """Each line of the objects limits what tests can do: change the file only with a reason."""
    objects = {
        "own cluster": OWN,
        "shared cluster": SHARED,
        "rights": runner_cluster_rights(SPEC, LABELS),
    }
    file = Path(__file__).with_name("admission_policies.json")
    text = json.dumps(objects, indent=1) + "\n"

    assert text == file.read_text(), f"write this text to {file.name}: {text}"


def test_prefix_is_the_same_in_the_pod_and_in_the_policies():
    assert PREFIX == ISOLATED_PREFIX == "test-"


def test_policies_fail_closed_and_deny():
    for objects in (OWN, SHARED):
        policies = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"]
        bindings = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicyBinding"]
        names = [each["metadata"]["name"] for each in policies]

        assert {each["spec"]["failurePolicy"] for each in policies} == {"Fail"}
        assert [each["spec"]["validationActions"] for each in bindings] == [["Deny"]] * 4
        assert [each["spec"]["policyName"] for each in bindings] == names
        assert objects == policies + bindings
        # A server that enforces the last policy enforces the others.
        assert names[-1].endswith(".guard")
        assert all(LABELS.items() | OURS.items() <= each["metadata"]["labels"].items() for each in objects)


def test_names_of_different_runners_differ():
    def names(namespace, pod):
        spec = RunnerSpec(image="t", namespace=namespace, pod=pod, isolated_namespaces=True)
        every = isolation_policies(spec, LABELS, shared=True) + runner_cluster_rights(spec, LABELS)
        return {each["metadata"]["name"] for each in every}

    assert not names("a-b", "c") & names("a", "b-c")
    assert not names("a", "b") & names("b", "a")


EVERYWHERE = [
    *(
        on_namespace(operation, name)
        for operation in ("CREATE", "UPDATE", "DELETE")
        for name in ("prod", "shop", "tes")
    ),
    on_namespace("UPDATE", "shop", resource="namespaces/finalize"),
    on_namespace("UPDATE", "shop", resource="namespaces/status"),
    *(on_binding(operation, "kube-system") for operation in ("CREATE", "UPDATE", "DELETE")),
    Request(user=RUNNER, operation="CREATE", resource="namespaces", obj=namespace(generateName="prod-")),
    # Neither name nor prefix: refused.
    Request(user=RUNNER, operation="CREATE", resource="namespaces", obj=namespace()),
]


@pytest.mark.parametrize("objects", [OWN, SHARED], ids=["own", "shared"])
@pytest.mark.parametrize("request_", EVERYWHERE, ids=lambda each: f"{each.operation} {each.resource} {each.name}")
def test_runner_is_refused_outside_its_prefix(objects, request_):
    assert refusals(objects, request_)
    admin = deepcopy(request_).__dict__ | {"user": "kubernetes-admin"}
    assert refusals(objects, Request(**admin)) == [], "only the runner is confined"


OTHERS = {"seatrial.dev/project": "p-1", "seatrial.dev/isolated-for": "pr-7"}


@pytest.mark.parametrize(
    ("request_", "own", "shared"),
    [
        (on_namespace("CREATE", "test-1"), True, False),
        (on_namespace("CREATE", "test-1", OURS), True, True),
        (on_namespace("CREATE", "test-1", {"seatrial.dev/isolated-for": "shop"}), False, False),
        (on_namespace("CREATE", "test-1", {"seatrial.dev/project": "p-1"}), True, False),
        (on_namespace("CREATE", "test-1", OTHERS), False, False),
        (on_namespace("DELETE", "test-1"), True, False),
        (on_namespace("DELETE", "test-1", OURS), True, True),
        (on_namespace("DELETE", "test-1", OTHERS), False, False),
        (on_namespace("UPDATE", "test-1", OURS), True, True),
        # No label change moves a namespace into the environment or out of it.
        (on_namespace("UPDATE", "test-1", OURS, before={}), False, False),
        (on_namespace("UPDATE", "test-1", {}, before=OURS), False, False),
        (on_namespace("UPDATE", "test-1", OTHERS, before=OURS), False, False),
        (on_namespace("UPDATE", "test-1", {}, before=OURS, resource="namespaces/status"), False, False),
        # `list` and `clean` find environments by this label.
        (on_namespace("CREATE", "test-1", {**OURS, "seatrial.dev/environment": "pr-7"}), False, False),
        (on_namespace("DELETE", "test-1", {**OURS, "seatrial.dev/environment": "pr-7"}), False, False),
        (on_binding("CREATE", "test-1", {**OURS, "seatrial.dev/environment": "pr-7"}), False, False),
        (on_binding("CREATE", "test-1"), True, False),
        (on_binding("CREATE", "test-1", OURS), True, True),
        (on_binding("CREATE", "test-1", OTHERS), False, False),
        (on_binding("UPDATE", "test-1", OTHERS), False, False),
        (on_binding("DELETE", "test-1", OTHERS), False, False),
        (
            Request(user=RUNNER, operation="CREATE", resource="namespaces", obj=namespace(generateName="test-")),
            True,
            False,
        ),
    ],
    ids=lambda each: f"{each.operation} {each.resource}" if isinstance(each, Request) else None,
)
def test_runner_is_admitted_to_its_own_namespaces_only(request_, own, shared):
    assert (refusals(OWN, request_) == []) is own
    assert (refusals(SHARED, request_) == []) is shared


BASELINE = {**OURS, "pod-security.kubernetes.io/enforce": "baseline"}


@pytest.mark.parametrize("objects", [OWN, SHARED], ids=["own", "shared"])
@pytest.mark.parametrize("user", [RUNNER, "kubernetes-admin"])
@pytest.mark.parametrize(
    ("before", "now", "good"),
    [
        (BASELINE, BASELINE | {"team": "a"}, True),
        (BASELINE, BASELINE | {"pod-security.kubernetes.io/enforce": "privileged"}, False),
        (BASELINE, OURS, False),
        (OURS, BASELINE, False),
        (BASELINE, BASELINE | {"pod-security.kubernetes.io/enforce-version": "v1.0"}, False),
        (BASELINE, BASELINE | {"seatrial.dev/project": "p-2"}, False),
        (BASELINE, {}, False),
        ({"a": "b"}, BASELINE, False),
    ],
)
def test_labels_of_a_tests_namespace_cannot_be_changed(objects, user, before, now, good):
    for resource in ("namespaces", "namespaces/status", "namespaces/finalize"):
        request_ = on_namespace("UPDATE", "test-1", now, before=before, resource=resource, user=user)
        assert (refusals(objects, request_) == []) is good


def test_namespaces_of_other_owners_are_not_confined():
    for before, now in (({"a": "b"}, {}), (OTHERS, {}), (OTHERS, OTHERS | {"pod-security.kubernetes.io/enforce": "x"})):
        assert refusals(SHARED, on_namespace("UPDATE", "theirs", now, before=before, user="them")) == []


GOOD: dict[str, Any] = {
    "containers": [
        {
            "name": "a",
            "image": "b",
            "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
            "livenessProbe": {"tcpSocket": {"port": 80, "host": ""}},
            "startupProbe": {"exec": {"command": ["true"]}},
            "lifecycle": {"preStop": {"exec": {"command": ["true"]}}, "postStart": {"httpGet": {"port": 80}}},
            "securityContext": {
                "privileged": False,
                "procMount": "Default",
                "capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"], "drop": ["ALL"]},
                "seLinuxOptions": {"type": "container_t", "level": "s0"},
                "appArmorProfile": {"type": "RuntimeDefault"},
                "seccompProfile": {"type": "RuntimeDefault"},
                "windowsOptions": {"hostProcess": False},
            },
        },
        {"name": "plain", "image": "b"},
    ],
    "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}],
    "hostNetwork": False,
    "securityContext": {
        "runAsUser": 1,
        "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
        "seLinuxOptions": {"user": "", "role": ""},
        "seccompProfile": {"type": "Localhost", "localhostProfile": "x"},
    },
}
IN_POD: dict[str, Any] = {
    "hostNetwork": {"hostNetwork": True},
    "hostPID": {"hostPID": True},
    "hostIPC": {"hostIPC": True},
    "hostPath": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]},
    "unsafe sysctl": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "seccomp": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "AppArmor": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    "SELinux type": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    "SELinux user": {"securityContext": {"seLinuxOptions": {"user": "root"}}},
    "SELinux role": {"securityContext": {"seLinuxOptions": {"role": "sysadm_r"}}},
    "hostProcess": {"securityContext": {"windowsOptions": {"hostProcess": True}}},
}
IN_CONTAINER: dict[str, Any] = {
    "privileged": {"securityContext": {"privileged": True}},
    "SYS_ADMIN": {"securityContext": {"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}}},
    "NET_RAW": {"securityContext": {"capabilities": {"add": ["NET_RAW"]}}},
    "ALL": {"securityContext": {"capabilities": {"add": ["ALL"]}}},
    "hostPort": {"ports": [{"containerPort": 1}, {"containerPort": 2, "hostPort": 2}]},
    "procMount": {"securityContext": {"procMount": "Unmasked"}},
    "seccomp": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "AppArmor": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    "SELinux type": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    "hostProcess": {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    **{
        f"host of {probe_}": {probe_: {"httpGet": {"host": "169.254.169.254", "port": 80}}}
        for probe_ in ("livenessProbe", "readinessProbe", "startupProbe")
    },
    "host of tcpSocket": {"livenessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}},
    "host of postStart": {"lifecycle": {"postStart": {"httpGet": {"host": "10.0.0.1", "port": 80}}}},
    "host of preStop": {"lifecycle": {"preStop": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}},
}


APPARMOR = "container.apparmor.security.beta.kubernetes.io/a"


def on_pod(
    spec, *, where="test-1", labels=None, user=CONTROLLER, operation="CREATE", resource="pods", annotations=None
):
    meta = {"name": "x", **({"annotations": annotations} if annotations else {})}
    return Request(
        user=user,
        operation=operation,
        resource=resource,
        name="x",
        namespace=where,
        namespace_labels=labels or {},
        obj={"metadata": meta, "spec": spec},
        old={"metadata": meta, "spec": GOOD} if operation == "UPDATE" else None,
    )


def refusals_of_pod(spec, **more):
    """Return the refusals of a pod of tests, which are the same in both kinds of clusters."""
    own = refusals(OWN, on_pod(spec, labels={"pod-security.kubernetes.io/enforce": "privileged"}, **more))
    assert (
        refusals(SHARED, on_pod(spec, labels=OURS | {"pod-security.kubernetes.io/enforce": "privileged"}, **more))
        == own
    )
    return own


def test_pods_of_the_baseline_are_admitted():
    assert refusals_of_pod(GOOD) == []
    assert refusals_of_pod({"containers": []}) == []
    assert refusals_of_pod(GOOD, operation="UPDATE") == []
    assert refusals_of_pod(GOOD, annotations={APPARMOR: "runtime/default"}) == []
    assert refusals_of_pod(GOOD, annotations={APPARMOR: "localhost/x", "b": "c"}) == []


@pytest.mark.parametrize("what", IN_POD)
def test_a_pod_beyond_the_baseline_is_refused(what):
    for user in (RUNNER, CONTROLLER, "kubernetes-admin"):
        (said,) = refusals_of_pod({**GOOD, **IN_POD[what]}, user=user)
        assert said.startswith(f"{REFUSAL} to the Pod Security baseline: ")
    assert refusals_of_pod({**GOOD, **IN_POD[what]}, operation="UPDATE")


@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize("what", IN_CONTAINER)
def test_a_container_beyond_the_baseline_is_refused(what, kind):
    bad = {"name": "b", "image": "b", **IN_CONTAINER[what]}
    spec = {**GOOD, kind: [*GOOD.get(kind, ()), bad]}
    (said,) = refusals_of_pod(spec)
    assert said.startswith(f"{REFUSAL} to the Pod Security baseline: ")
    assert refusals_of_pod(spec, operation="UPDATE", resource="pods/ephemeralcontainers") == [said]


def test_unconfined_by_annotation_is_refused():
    assert len(refusals_of_pod(GOOD, annotations={APPARMOR: "unconfined"})) == 1


def test_pods_in_other_namespaces_are_not_confined():
    bad = {**GOOD, "hostNetwork": True}
    for where in ("shop", "kube-system", "tests", "my-test-1"):
        assert refusals(OWN, on_pod(bad, where=where)) == []
    assert refusals(SHARED, on_pod(bad, where="test-theirs")) == []
    for labels in (OTHERS, {"seatrial.dev/isolated-for": "shop"}, {"seatrial.dev/project": "p-1"}):
        assert refusals(SHARED, on_pod(bad, labels=labels)) == []
    assert refusals(OWN, on_pod(bad, resource="pods/status", operation="UPDATE")) == []


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_services_with_external_ips_are_refused(operation):
    def said(objects, spec, **more):
        asked = {"user": RUNNER, "operation": operation, "resource": "services", "name": "x", "namespace": "test-1"}
        return refusals(objects, Request(**{**asked, "obj": {"metadata": {"name": "x"}, "spec": spec}, **more}))

    bad, fine = {"externalIPs": ["10.0.0.1"]}, {"externalIPs": [], "ports": []}
    for objects, labels in ((OWN, {}), (SHARED, OURS)):
        assert len(said(objects, bad, namespace_labels=labels)) == 1
        assert said(objects, fine, namespace_labels=labels) == []
        assert said(objects, {}, namespace_labels=labels) == []
    assert said(OWN, bad, namespace="shop") == []
    assert said(SHARED, bad) == []


class TestRights:
    def rules(self):
        inside, own, binding = runner_cluster_rights(SPEC, LABELS)
        return inside, own, binding

    def test_cluster_role_allows_namespaces_and_the_binding_of_one_role(self):
        inside, own, binding = self.rules()

        assert [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in own["rules"]] == [
            ([""], ["namespaces"], ["create", "get", "list", "watch", "delete"]),
            ([RBAC], ["rolebindings"], ["create"]),
            ([RBAC], ["clusterroles"], ["bind"]),
        ]
        assert own["rules"][2]["resourceNames"] == [inside["metadata"]["name"]] == ["seatrial.shop.test-runner.inside"]
        assert binding["roleRef"] == {"apiGroup": RBAC, "kind": "ClusterRole", "name": own["metadata"]["name"]}
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "test-runner", "namespace": "shop"}]

    def test_role_inside_a_namespace_gives_no_way_out_of_it(self):
        inside, *_ = self.rules()
        resources = {each for rule in inside["rules"] for each in rule["resources"]}
        groups = {each for rule in inside["rules"] for each in rule["apiGroups"]}
        verbs = {each for rule in inside["rules"] for each in rule["verbs"]}

        assert not any("*" in each for each in resources | groups | verbs)
        # Roles with more rights, other ServiceAccounts and tokens would bypass the other rules.
        assert not verbs & {"bind", "escalate", "impersonate", "use", "approve", "sign"}
        assert not resources & {"namespaces", "nodes", "serviceaccounts/token", "pods/ephemeralcontainers"}
        limits = [rule["verbs"] for rule in inside["rules"] if "resourcequotas" in rule["resources"]]
        assert limits == [["get", "list", "watch", "create"]], "tests cannot lift their own limits"

    def test_fixture_creates_namespaces_that_the_policies_admit(self):
        project = Project(root=Path("/p"), runner=SPEC)
        given = fixture_settings(project, LABELS)
        (_, made), (_, binding), *_ = fixture.objects(
            "test-1", nodeid="t", labels=given["labels"], now=0, rights=given["rights"]
        )

        assert binding["roleRef"]["name"] == "seatrial.shop.test-runner.inside"
        assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
        request_ = Request(user=RUNNER, operation="CREATE", resource="namespaces", name="test-1", obj=made)
        assert refusals(SHARED, request_) == []
        assert isolation_rights(Project(root=Path("/p"), runner=RunnerSpec(image="t"))) is None


def test_refused_namespace_has_a_valid_name():
    assert len(refused_namespace(RunnerSpec(image="t", namespace="n" * 63))[0]["metadata"]["name"]) == 63
