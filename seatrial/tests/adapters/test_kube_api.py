"""The Kubernetes client against a server of its own: requests, retries, watches through gaps."""

from __future__ import annotations

import dataclasses
import itertools
import threading

import pytest
from seatrial.adapters import kube_api as module
from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import Access
from seatrial.model.errors import AccessDenied, EnvironmentFailed, NotServed

from .fake_api import serving

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))


def pod(name, version="1"):
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "resourceVersion": version}}


def listing(*pods, version="10"):
    return 200, {"kind": "PodList", "metadata": {"resourceVersion": version}, "items": list(pods)}


def test_version(api, kube):
    api.on("GET", "/version", (200, {"gitVersion": "v1.34.4"}))

    assert kube.version() == "v1.34.4"


def test_get(api, kube):
    api.on("GET", f"{PODS}/web", (200, pod("web")))

    assert kube.get("v1/Pod", "web", "shop") == pod("web")
    assert kube.get("v1/Pod", "none", "shop") is None
    assert api.headers[0]["Authorization"] == "Bearer secret"


def test_cluster_wide_objects_ignore_the_namespace(api, kube):
    api.on("GET", "/api/v1/nodes/n", (200, {}))

    assert kube.get("v1/Node", "n", "shop") == {}


def test_objects_carry_their_kind(api, kube):
    api.on("GET", PODS, listing({"metadata": {"name": "web"}}))

    assert kube.objects("v1/Pod", "shop", labels="app=web") == [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
    ]
    assert api.asked[-1] == ("GET", PODS, {"labelSelector": ["app=web"]})


def test_objects_of_all_namespaces(api, kube):
    api.on("GET", "/api/v1/pods", listing())

    assert kube.objects("v1/Pod") == []


def test_apply_is_server_side_and_forced(api, kube):
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    api.on("PATCH", path, (200, {**obj, "status": {}}))

    assert kube.apply(obj)["status"] == {}
    assert api.asked[-1] == ("PATCH", path, {"fieldManager": ["seatrial"], "force": ["true"]})
    assert api.bodies == [obj]
    assert api.headers[-1]["Content-Type"] == "application/apply-patch+yaml"


def test_delete(api, kube):
    api.on("DELETE", f"{PODS}/web", (200, {"kind": "Status"}))

    assert kube.delete("v1/Pod", "web", "shop", grace=0)
    assert api.bodies[-1]["gracePeriodSeconds"] == 0
    assert api.bodies[-1]["propagationPolicy"] == "Background"
    assert not kube.delete("v1/Pod", "none", "shop")


def test_refusal_says_why(api, kube):
    api.on("GET", f"{PODS}/web", (403, {"message": 'pods "web" is forbidden'}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("v1/Pod", "web", "shop")
    assert caught.value.reason == 'pods "web" is forbidden'


def test_refusal_without_a_status_object(api, kube):
    api.on("GET", f"{PODS}/web", (418, b"teapot"))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("v1/Pod", "web", "shop")
    assert caught.value.reason == "HTTP status 418: teapot"


def test_something_that_must_be_there(kube):
    with pytest.raises(EnvironmentFailed):
        kube.objects("v1/Pod", "shop")


def test_busy_server_is_asked_again(api, kube):
    api.on("GET", "/version", (503, {}), (429, {}), (200, {"gitVersion": "v1"}))

    assert kube.version() == "v1"


def test_busy_server_is_given_up(api, kube):
    api.on("GET", "/version", (500, {"message": "etcd is down"}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.version()
    assert caught.value.reason == "etcd is down"
    assert len(api.asked) == 4


def test_cut_connections_are_made_anew(api, kube):
    api.on("GET", "/version", (200, {"gitVersion": "v1"}))
    kube.version()
    api.drop = 1

    assert kube.version() == "v1"


def test_nobody_answers():
    access = Access(
        host="127.0.0.1", port=1, path="", tls=None, server_name="x", authorization=lambda: "", namespace="default"
    )

    with pytest.raises(EnvironmentFailed) as caught:
        KubeApi(access).version()
    assert "127.0.0.1:1 does not answer" in caught.value.message


def test_discovery_is_asked_once(api, kube):
    resources = [
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "worlds", "kind": "World", "namespaced": False},
    ]
    api.on("GET", "/apis/acme.io/v1", (200, {"resources": resources}))
    api.on("GET", "/apis/acme.io/v1/namespaces/shop/widgets/w", (200, {"it": "w"}))
    api.on("GET", "/apis/acme.io/v1/worlds/earth", (200, {"it": "earth"}))

    assert kube.get("acme.io/v1/Widget", "w", "shop") == {"it": "w"}
    assert kube.get("acme.io/v1/World", "earth", "shop") == {"it": "earth"}
    assert [path for _, path, _ in api.asked].count("/apis/acme.io/v1") == 1


def test_unknown_kind(api, kube):
    api.on("GET", "/apis/acme.io/v1", (404, {}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("acme.io/v1/Widget", "w")
    assert caught.value.message == "the cluster knows no kind Widget in acme.io/v1"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("v1/Endpoints", "/api/v1/namespaces/shop/endpoints/x"),
        ("networking.k8s.io/v1/NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/x"),
        ("networking.k8s.io/v1/Ingress", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/x"),
        ("storage.k8s.io/v1/StorageClass", "/apis/storage.k8s.io/v1/storageclasses/x"),
        ("rbac.authorization.k8s.io/v1/ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
        ("policy/v1/PodDisruptionBudget", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/x"),
    ],
)
def test_paths_known_by_heart(api, kube, kind, path):
    api.on("GET", path, (200, {}))

    assert kube.get(kind, "x", "shop") == {}


def test_logs(api, kube):
    api.on("GET", f"{PODS}/web/log", (200, b"one\ntwo\n"))

    assert kube.logs("web", "shop", "app", tail=2, previous=True) == b"one\ntwo\n"
    assert api.asked[-1][2] == {"container": ["app"], "tailLines": ["2"], "previous": ["true"]}
    assert kube.logs("none", "shop", "app") == b""


LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x", "namespace": "shop"}}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"


@pytest.mark.parametrize(("status", "done"), [(201, True), (409, False)])
def test_create_says_whether_it_was_first(api, kube, status, done):
    api.on("POST", LEASES, (status, {"message": "already exists"}))

    assert kube.create(LEASE) is done
    assert api.bodies == [LEASE]


@pytest.mark.parametrize(("status", "done"), [(200, True), (409, False), (404, False)])
def test_replace_says_whether_nobody_came_in_between(api, kube, status, done):
    api.on("PUT", f"{LEASES}/x", (status, {"message": "the object has been modified"}))

    assert kube.replace(LEASE) is done


def test_what_is_forbidden_is_told(api, kube):
    api.on("POST", LEASES, (403, {"message": "leases is forbidden"}))

    with pytest.raises(EnvironmentFailed) as raised:
        kube.create(LEASE)
    assert raised.value.reason == "leases is forbidden"


def test_it_answers_or_it_does_not(api, kube):
    api.on("GET", "/version", (200, {}))
    assert kube.answers(5)
    api.drop = 1
    assert not kube.answers(5)
    assert len(api.asked) == 2, "asked once each"


def test_followed_lines_come_without_their_times(api, kube):
    api.on("GET", f"{PODS}/web/log", (200, b"2026-01-01T00:00:00.1Z one\n2026-01-01T00:00:00.2Z two words\n"))

    assert list(kube.follow("web", "shop", "app", tail=2, since=60)) == [b"one\n", b"two words\n"]
    query = {"container": ["app"], "tailLines": ["2"], "sinceSeconds": ["60"]}
    assert api.asked[-1][2] == {**query, "follow": ["true"], "timestamps": ["true"]}
    assert list(kube.follow("none", "shop", "app")) == []


def test_watch_lists_then_follows(api, kube):
    api.on("GET", PODS, listing(pod("a"), version="10"))
    api.lines[PODS] = [
        [
            {"type": "ADDED", "object": pod("b", "11")},
            {"type": "BOOKMARK", "object": pod("", "15")},
        ],
        [{"type": "DELETED", "object": pod("a", "16")}],
    ]
    watch = kube.watch("v1/Pod", "shop")
    seen = [
        (change.type, [each["metadata"]["name"] for each in change.objects]) for change in itertools.islice(watch, 3)
    ]

    assert seen == [("synced", ["a"]), ("added", ["b"]), ("deleted", ["a"])]
    versions = [query["resourceVersion"] for _, _, query in api.asked if "watch" in query]
    # It goes on from the bookmark, not from the last change.
    assert versions == [["10"], ["15"]]
    watch.close()


@pytest.mark.parametrize("gone", [[410], [{"type": "ERROR", "object": {"code": 410}}]])
def test_watch_lists_anew_when_too_much_happened(api, kube, gone):
    api.on("GET", PODS, listing(pod("a"), version="10"), listing(pod("b"), version="99"))
    api.lines[PODS] = [gone]
    watch = kube.watch("v1/Pod", "shop")

    assert [change.type for change in itertools.islice(watch, 2)] == ["synced", "synced"]
    watch.close()


def test_watch_survives_errors(api, kube):
    api.on("GET", PODS, listing(version="10"))
    api.lines[PODS] = [[500], [{"type": "MODIFIED", "object": pod("a", "11")}]]
    watch = kube.watch("v1/Pod", "shop")

    assert [change.type for change in itertools.islice(watch, 2)] == ["synced", "modified"]
    watch.close()


def test_watch_ends_when_another_thread_closes_it(api, kube):
    api.on("GET", PODS, listing(version="10"))
    watch = kube.watch("v1/Pod", "shop")
    synced, ended = threading.Event(), threading.Event()

    def follow():
        for _ in watch:
            synced.set()
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert synced.wait(5)
    watch.close()

    assert ended.wait(5)


def test_closed_watch_yields_nothing(api, kube):
    api.on("GET", PODS, listing(version="10"))
    watch = kube.watch("v1/Pod", "shop")
    watch.close()

    assert list(watch) == []


IMPERSONATING = (("Impersonate-User", "jäne"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops"))


def test_each_kind_of_request_impersonates(api):
    api.on("GET", "/version", (200, {"gitVersion": "v1"}))
    api.on("DELETE", "/api/v1/namespaces/shop/pods/web", (200, {}))
    api.lines["/api/v1/namespaces/shop/pods"] = []
    with serving(api) as access:
        client = KubeApi(dataclasses.replace(access, impersonation=IMPERSONATING))
        client.version()
        client.answers(5)
        client.delete("v1/Pod", "web", "shop")
        connection, _ = client.stream("/version", {})
        connection.close()
        web = client.websocket("/ws", ("v5.channel.k8s.io",), silence=5)
        web.close()
        client.close()

    assert len(api.repeated) == 5
    for headers in api.repeated:
        assert headers["Impersonate-Group"] == ["dev", "ops"]
        assert headers["Impersonate-User"][0].encode("latin-1").decode() == "jäne"


def test_rehearse_asks_as_somebody_else_and_creates_nothing(api):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}
    api.on("POST", "/api/v1/namespaces", (422, {"message": "confined"}), (201, namespace))
    with serving(api) as access:
        client = KubeApi(dataclasses.replace(access, impersonation=IMPERSONATING))
        assert client.rehearse(namespace, user="sa", groups=("a", "b")) == "confined"
        assert client.rehearse(namespace, user="sa", groups=()) == ""
        client.close()

    assert [query for *_, query in api.asked] == [{"dryRun": ["All"]}] * 2
    assert api.repeated[0]["Impersonate-User"] == ["sa"]
    assert api.repeated[0]["Impersonate-Group"] == ["a", "b"]
    assert "Impersonate-Group" not in api.repeated[1]


def test_a_right_that_is_missing_is_told_apart(api, kube):
    api.on("GET", "/api/v1/namespaces", (403, {"message": "no"}))

    with pytest.raises(AccessDenied):
        kube.objects("v1/Namespace")
    with pytest.raises(NotServed):
        kube.objects("admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")
