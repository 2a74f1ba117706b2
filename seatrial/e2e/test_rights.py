"""What a hostile suite may do in a real cluster: in one of our own, and in one that others use too.

The second kind is an environment beside others in the same cluster: it gets what an existing cluster gets.
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
def test_beyond_their_namespaces(method, path, body):
    status, said = call(method, path, body)
    assert status in (403, 422), said
    assert "forbidden" in said or CONFINED in said

def test_within_their_namespaces(isolated_namespace):
    base = f"/api/v1/namespaces/{isolated_namespace}"
    assert call("POST", f"{base}/configmaps", named("ConfigMap", "x"))[0] == 201
    assert '"pods":"20"' in call("GET", f"{base}/resourcequotas/seatrial")[1]
    assert patiently("POST", f"{base}/pods?dryRun=All", named("Pod", "x", spec=pod()))[0] == 201
    assert call("DELETE", f"{base}/resourcequotas/seatrial")[0] == 403
    service = {"ports": [{"port": 80}], "externalIPs": ["10.96.0.1"]}
    status, said = call("POST", f"{base}/services?dryRun=All", named("Service", "x", spec=service))
    assert (status, CONFINED in said) == (422, True), said

@pytest.mark.parametrize("what", BEYOND)
def test_pods_beyond_the_baseline(what, isolated_namespace_worker):
    path = f"/api/v1/namespaces/{isolated_namespace_worker}/pods"
    status, said = patiently("POST", f"{path}?dryRun=All", named("Pod", "x", spec=BEYOND[what]))
    assert status in (403, 422), said
    assert CONFINED in said or "PodSecurity" in said

def escalate(verb, rule, where):
    return named("Role", "x", rules=[{"apiGroups": rule[:1], "resources": rule[1:], "verbs": [verb]}])

def test_no_right_is_made_out_of_nothing(isolated_namespace_worker):
    """Whoever may update a namespace may relabel it; whoever may escalate may do everything."""
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
def labelled_privileged():
    """As an attacker makes it: a namespace that says of itself that everything is allowed in it."""
    name = f"test-{os.urandom(4).hex()}"
    assert call("POST", "/api/v1/namespaces", named("Namespace", name, meta={"labels": PRIVILEGED}))[0] == 201
    assert call("POST", BINDINGS.format(name), binding(ROLE))[0] == 201
    yield name
    assert call("DELETE", f"/api/v1/namespaces/{name}")[0] == 200

@pytest.mark.parametrize("what", BEYOND)
def test_labels_do_not_help(what, labelled_privileged):
    path = f"/api/v1/namespaces/{labelled_privileged}/pods"
    status, said = patiently("POST", path, named("Pod", "x", spec=BEYOND[what]))
    assert (status, CONFINED in said) == (422, True), said

def test_controllers_do_not_help(labelled_privileged):
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": ROOT}
    path = f"/apis/apps/v1/namespaces/{labelled_privileged}/deployments"
    body = named("Deployment", "x", spec={"selector": {"matchLabels": labels}, "template": template})
    assert patiently("POST", path, body)[0] == 201
    until = time.monotonic() + 20
    while CONFINED not in (said := call("GET", f"{path}/x")[1]) and time.monotonic() < until:
        time.sleep(0.2)
    assert CONFINED in said
    assert json.loads(call("GET", f"/api/v1/namespaces/{labelled_privileged}/pods")[1])["items"] == []

def test_the_namespace_of_a_neighbour(neighbour="test-of-pr-9"):
    """Another environment of this cluster keeps its tests' namespaces to itself."""
    status, said = call("DELETE", f"/api/v1/namespaces/{neighbour}?dryRun=All")
    assert (status, CONFINED in said) == (422, True), said
'''

SHARED = """
@pytest.mark.parametrize("labels", [
    {},
    {"seatrial.dev/isolated": "true"},
    {"seatrial.dev/isolated-for": HOME},
    {"seatrial.dev/isolated-for": "shop", "seatrial.dev/owner": "seatrial"},
], ids=range(4))
def test_a_namespace_without_the_labels_of_the_environment(labels):
    body = named("Namespace", "test-mine", meta={"labels": labels})
    status, said = call("POST", "/api/v1/namespaces?dryRun=All", body)
    assert (status, CONFINED in said) == (422, True), said

@pytest.mark.parametrize("theirs", ["test-theirs", "test-of-shop"])
def test_the_namespace_of_another_tenant(theirs):
    for method, path, body in (
        ("DELETE", f"/api/v1/namespaces/{theirs}?dryRun=All", None),
        ("POST", BINDINGS.format(theirs) + "?dryRun=All", binding(ROLE)),
    ):
        status, said = call(method, path, body)
        assert (status, CONFINED in said) == (422, True), said
    assert call("GET", f"/api/v1/namespaces/{theirs}/configmaps")[0] == 403
"""

# The seed's own words, by another client: it labels nothing, binds nothing and deletes without waiting.
SEED = """
def test_the_seeds_own_way():
    name = f"test-{os.urandom(4).hex()}"
    assert call("POST", "/api/v1/namespaces", named("Namespace", name))[0] == 201
    assert call("DELETE", f"/api/v1/namespaces/{name}")[0] == 200
"""


@contextmanager
def isolating(shop: Shop) -> Iterator[None]:
    """Let the project's tests create namespaces."""
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
    """Namespaces of others, whose names begin as those of tests do."""
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
    """Return the cluster-wide objects, without namespaces that are on their way out."""
    found = json.loads(shop.kubectl("get", f"{KINDS},namespaces", "-o", "json"))["items"]
    return {
        f"{each['kind']} {each['metadata']['name']}" for each in found if not each["metadata"].get("deletionTimestamp")
    }


def test_in_a_cluster_of_our_own(shop, tenants):
    with isolating(shop):
        assert "28 passed" in shop("test", "tests/test_rights_own.py", "-q", "--no-cov").out
        policies = shop.kubectl("get", "validatingadmissionpolicies", "-o", "name").split()
        assert len(policies) == 4
        # No words of ours that the server does not understand.
        assert "warning" not in shop.kubectl("get", "validatingadmissionpolicies", "-o", "yaml").lower()
    assert "8 passed" in shop("test", "--no-cov").out
    assert shop.kubectl("get", "validatingadmissionpolicies", "-o", "name") == "", "nobody asks for them any more"


def test_in_a_cluster_that_others_use_too(shop, tenants):
    before = cluster_wide(shop)
    with isolating(shop):
        shop("up", "--namespace", "pr-9")
        said = shop("test", "--namespace", "pr-9", "tests/test_rights_shared.py", "-q", "--no-cov").out
        assert "24 passed" in said
        made = {name for name in cluster_wide(shop) - before if not name.startswith("Namespace ")}
        assert len(made) == 11
        # What a killed run leaves.
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
    # test-of-pr-9 has no owner's label: it is somebody else's.
    assert cluster_wide(shop) == before


def test_a_lent_namespace_is_left_as_it_was(shop):
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
