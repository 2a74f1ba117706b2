"""Test the limits of a hostile suite on a real cluster: in a cluster of its own, and in a shared one.

The second case is a namespaced environment in the same cluster, which has the same limits as in an existing cluster.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from shop_project import Shop

API = '''
import json, os, pathlib, ssl, time, urllib.error, urllib.request
import pytest

MOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
RBAC = "rbac.authorization.k8s.io"
BINDINGS = f"/apis/{RBAC}/v1/namespaces/{{}}/rolebindings"
HOME = (MOUNT / "namespace").read_text()
ROLE = os.environ["SEATRIAL_ISOLATED_ROLE"]
CONFINED = "seatrial confines tests"
FINAL = (CONFINED, "violates PodSecurity", "attempting to grant")

def call(method, path, body=None, kind="application/json"):
    tls = ssl.create_default_context(cafile=MOUNT / "ca.crt")
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    headers = {"Authorization": "Bearer " + (MOUNT / "token").read_text(), "Content-Type": kind}
    url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}{path}"
    data = json.dumps(body).encode() if body else None
    try:
        request = urllib.request.Request(url, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()

def patiently(*args):
    """Rights that were just given, and the namespace's ServiceAccount, come a moment later."""
    until = time.monotonic() + 10
    while True:
        status, said = call(*args)
        if status != 403 or any(why in said for why in FINAL) or time.monotonic() > until:
            return status, said
        time.sleep(0.1)

def named(kind, name, **more):
    group = f"{RBAC}/v1" if kind in ("RoleBinding", "Role") else "apps/v1" if kind == "Deployment" else "v1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, **more.pop("meta", {})}, **more}

def binding(role):
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    subject = {"kind": "ServiceAccount", "name": "test-runner", "namespace": HOME}
    return named("RoleBinding", "x", roleRef=ref, subjects=[subject])

def pod(container=None, **spec):
    return {"containers": [{"name": "a", "image": "never-pulled", **(container or {})}], **spec}

ROOT = pod({"securityContext": {"privileged": True}, "volumeMounts": [{"name": "host", "mountPath": "/host"}]},
           volumes=[{"name": "host", "hostPath": {"path": "/"}}])
BEYOND = {
    "privileged and hostPath": ROOT,
    "hostPID": pod(hostPID=True),
    "hostPort": pod({"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "SYS_ADMIN": pod({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    "unmasked proc": pod({"securityContext": {"procMount": "Unmasked"}}, hostUsers=False),
    "unconfined": pod({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    "sysctl": pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
}

@pytest.mark.parametrize(("method", "path", "body"), [
    ("DELETE", f"/api/v1/namespaces/{HOME}?dryRun=All", None),
    ("DELETE", "/api/v1/namespaces/kube-system?dryRun=All", None),
    ("POST", "/api/v1/namespaces?dryRun=All", named("Namespace", "prod")),
    ("POST", BINDINGS.format("kube-system") + "?dryRun=All", binding(ROLE)),
    ("POST", BINDINGS.format(HOME) + "?dryRun=All", binding(ROLE)),
    ("POST", BINDINGS.format(HOME) + "?dryRun=All", binding("cluster-admin")),
    ("POST", f"/api/v1/namespaces/{HOME}/pods?dryRun=All", named("Pod", "x", spec=pod())),
    ("GET", "/api/v1/namespaces/kube-system/secrets", None),
    ("GET", "/api/v1/nodes", None),
], ids=range(9))
def test_requests_outside_isolated_namespaces_are_refused(method, path, body):
    status, said = call(method, path, body)
    assert status in (403, 422), said
    assert "forbidden" in said or CONFINED in said

def test_requests_inside_isolated_namespaces_are_allowed(isolated_namespace):
    base = f"/api/v1/namespaces/{isolated_namespace}"
    assert call("POST", f"{base}/configmaps", named("ConfigMap", "x"))[0] == 201
    assert '"pods":"20"' in call("GET", f"{base}/resourcequotas/seatrial")[1]
    assert patiently("POST", f"{base}/pods?dryRun=All", named("Pod", "x", spec=pod()))[0] == 201
    assert call("DELETE", f"{base}/resourcequotas/seatrial")[0] == 403
    service = {"ports": [{"port": 80}], "externalIPs": ["10.96.0.1"]}
    status, said = call("POST", f"{base}/services?dryRun=All", named("Service", "x", spec=service))
    assert (status, CONFINED in said) == (422, True), said

@pytest.mark.parametrize("what", BEYOND)
def test_pod_violating_baseline_is_refused(what, isolated_namespace_worker):
    path = f"/api/v1/namespaces/{isolated_namespace_worker}/pods"
    status, said = patiently("POST", f"{path}?dryRun=All", named("Pod", "x", spec=BEYOND[what]))
    assert status in (403, 422), said
    assert CONFINED in said or "PodSecurity" in said

def escalate(verb, rule, where):
    return named("Role", "x", rules=[{"apiGroups": rule[:1], "resources": rule[1:], "verbs": [verb]}])

def test_permission_escalation_is_refused(isolated_namespace_worker):
    """Permission to update a namespace allows relabeling; permission to escalate allows everything."""
    path = f"/apis/{RBAC}/v1/namespaces/{isolated_namespace_worker}/roles?dryRun=All"
    for verb, rule in (("update", ["", "namespaces"]), ("*", ["*", "*"]), ("create", ["", "serviceaccounts/token"])):
        status, said = patiently("POST", path, escalate(verb, rule, isolated_namespace_worker))
        assert status == 403, said
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    path = f"/api/v1/namespaces/{isolated_namespace_worker}?dryRun=All"
    assert call("PATCH", path, labels, "application/merge-patch+json")[0] in (403, 422)
'''

OWN = '''
PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}

@pytest.fixture
def labeled_privileged():
    """An attacker's namespace, whose label allows everything in it."""
    name = f"test-{os.urandom(4).hex()}"
    assert call("POST", "/api/v1/namespaces", named("Namespace", name, meta={"labels": PRIVILEGED}))[0] == 201
    assert call("POST", BINDINGS.format(name), binding(ROLE))[0] == 201
    yield name
    assert call("DELETE", f"/api/v1/namespaces/{name}")[0] == 200

@pytest.mark.parametrize("what", BEYOND)
def test_privileged_label_has_no_effect(what, labeled_privileged):
    path = f"/api/v1/namespaces/{labeled_privileged}/pods"
    status, said = patiently("POST", path, named("Pod", "x", spec=BEYOND[what]))
    assert (status, CONFINED in said) == (422, True), said

def test_privileged_pod_of_controller_is_refused(labeled_privileged):
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": ROOT}
    path = f"/apis/apps/v1/namespaces/{labeled_privileged}/deployments"
    body = named("Deployment", "x", spec={"selector": {"matchLabels": labels}, "template": template})
    assert patiently("POST", path, body)[0] == 201
    until = time.monotonic() + 20
    while CONFINED not in (said := call("GET", f"{path}/x")[1]) and time.monotonic() < until:
        time.sleep(0.2)
    assert CONFINED in said
    assert json.loads(call("GET", f"/api/v1/namespaces/{labeled_privileged}/pods")[1])["items"] == []

def test_deleting_foreign_namespace_is_refused(other="test-of-pr-9"):
    """Isolated namespaces of another environment in this cluster are inaccessible."""
    status, said = call("DELETE", f"/api/v1/namespaces/{other}?dryRun=All")
    assert (status, CONFINED in said) == (422, True), said
'''

SHARED = """
@pytest.mark.parametrize("labels", [
    {},
    {"seatrial.dev/isolated": "true"},
    {"seatrial.dev/isolated-for": HOME},
    {"seatrial.dev/isolated-for": "shop", "seatrial.dev/owner": "seatrial"},
], ids=range(4))
def test_namespace_without_environment_labels_is_refused(labels):
    body = named("Namespace", "test-mine", meta={"labels": labels})
    status, said = call("POST", "/api/v1/namespaces?dryRun=All", body)
    assert (status, CONFINED in said) == (422, True), said

@pytest.mark.parametrize("theirs", ["test-theirs", "test-of-shop"])
def test_namespace_of_other_project_is_refused(theirs):
    for method, path, body in (
        ("DELETE", f"/api/v1/namespaces/{theirs}?dryRun=All", None),
        ("POST", BINDINGS.format(theirs) + "?dryRun=All", binding(ROLE)),
    ):
        status, said = call(method, path, body)
        assert (status, CONFINED in said) == (422, True), said
    assert call("GET", f"/api/v1/namespaces/{theirs}/configmaps")[0] == 403
"""

# The seed's snippet with another client: no labels, no binding, and deletion without waiting.
SEED = """
def test_namespace_of_plain_client_is_allowed():
    name = f"test-{os.urandom(4).hex()}"
    assert call("POST", "/api/v1/namespaces", named("Namespace", name))[0] == 201
    assert call("DELETE", f"/api/v1/namespaces/{name}")[0] == 200
"""


@contextmanager
def isolating(shop: Shop) -> Iterator[None]:
    """Allow the project's tests to create namespaces."""
    config = shop.root / "seatrial.toml"
    before = config.read_text()
    config.write_text(before.replace("[runner]\n", "[runner]\nisolated-namespaces = true\n"))
    suites = {"own": API + OWN + SEED, "shared": API + SHARED}
    paths = [shop.root / "tests" / f"test_rights_{name}.py" for name in suites]
    for path, text in zip(paths, suites.values(), strict=True):
        path.write_text(text)
    try:
        yield
    finally:
        config.write_text(before)
        for path in paths:
            path.unlink()


def project_of(shop: Shop) -> str:
    labels = json.loads(shop.kubectl("get", "namespace", "shop", "-o", "json"))["metadata"]["labels"]
    return str(labels["seatrial.dev/project"])


@pytest.fixture(scope="module")
def tenants(shop) -> Iterator[None]:
    """Provide foreign namespaces with the name prefix of the tests' namespaces."""
    marks = {"test-theirs": {}, "test-of-shop": {"for": "shop"}, "test-of-pr-9": {"for": "pr-9"}}
    for name, mark in marks.items():
        shop.kubectl("create", "namespace", name)
        if mark:
            ours = (f"seatrial.dev/isolated-for={mark['for']}", f"seatrial.dev/project={project_of(shop)}")
            shop.kubectl("label", "namespace", name, *ours)
    yield
    shop.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *marks)


KINDS = (
    "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,"
    "mutatingwebhookconfigurations,validatingwebhookconfigurations,customresourcedefinitions,persistentvolumes,"
    "storageclasses,priorityclasses,apiservices"
)


def cluster_wide(shop: Shop) -> set[str]:
    """Return the cluster-scoped objects, except namespaces being deleted."""
    found = json.loads(shop.kubectl("get", f"{KINDS},namespaces", "-o", "json"))["items"]
    return {
        f"{each['kind']} {each['metadata']['name']}" for each in found if not each["metadata"].get("deletionTimestamp")
    }


def test_hostile_suite_is_confined_in_own_cluster(shop, tenants):
    with isolating(shop):
        assert "28 passed" in shop("test", "tests/test_rights_own.py", "-q", "--no-cov").out
        policies = shop.kubectl("get", "validatingadmissionpolicies", "-o", "name").split()
        assert len(policies) == 4
        # The server understands every field of the policies.
        assert "warning" not in shop.kubectl("get", "validatingadmissionpolicies", "-o", "yaml").lower()
    assert "8 passed" in shop("test", "--no-cov").out
    assert shop.kubectl("get", "validatingadmissionpolicies", "-o", "name") == "", "they are no longer configured"


def test_hostile_suite_is_confined_in_shared_cluster(shop, tenants):
    before = cluster_wide(shop)
    with isolating(shop):
        shop("up", "--namespace", "pr-9")
        said = shop("test", "--namespace", "pr-9", "tests/test_rights_shared.py", "-q", "--no-cov").out
        assert "24 passed" in said
        made = {name for name in cluster_wide(shop) - before if not name.startswith("Namespace ")}
        assert len(made) == 11
        # Objects that a killed run leaves.
        marks = {"owner": "seatrial", "project": project_of(shop), "isolated-for": "pr-9"}
        labels = {f"seatrial.dev/{key}": value for key, value in marks.items()}
        left = shop.root / "left.json"
        meta = {"name": "test-left", "labels": labels}
        left.write_text(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}))
        shop.kubectl("create", "-f", str(left))
        for label in ("pod-security.kubernetes.io/enforce=privileged", "seatrial.dev/isolated-for=shop"):
            with pytest.raises(subprocess.CalledProcessError) as refused:
                shop.kubectl("label", "--overwrite", "namespace", "test-left", label)
            assert "seatrial confines tests" in refused.value.stderr
        shop("down", "--namespace", "pr-9")
    # test-of-pr-9 has no owner label, so it belongs to another project.
    assert cluster_wide(shop) == before


def test_lent_namespace_is_restored(shop):
    shop.kubectl("create", "namespace", "lent")
    shop.kubectl("label", "namespace", "lent", "seatrial.dev/use=allowed")
    before = cluster_wide(shop)
    with isolating(shop):
        shop("up", "--namespace", "lent")
        assert len(cluster_wide(shop) - before) == 11
        shop("down", "--namespace", "lent")
    assert cluster_wide(shop) == before
    # `down` does not wait for the grace period of the release's pods.
    shop.kubectl("wait", "--for=delete", "pods", "--all", "-n", "lent", "--timeout=60s")
    kinds = "pods,deployments,services,secrets,roles,rolebindings,leases"
    left = shop.kubectl("get", kinds, "-n", "lent", "-o", "name")
    assert left == ""
    shop.kubectl("delete", "namespace", "lent", "--wait=false")
