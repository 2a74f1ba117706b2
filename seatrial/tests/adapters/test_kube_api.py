"""The Kubernetes client against a fake API server: requests, retries, watches."""

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


def test_version_is_that_of_the_server(api, kube):
    api.on("GET", "/version", (200, {"gitVersion": "v1.34.4"}))

    assert kube.version() == "v1.34.4"


def test_get_returns_the_object_or_none(api, kube):
    api.on("GET", f"{PODS}/web", (200, pod("web")))

    assert kube.get("v1/Pod", "web", "shop") == pod("web")
    assert kube.get("v1/Pod", "none", "shop") is None
    assert api.headers[0]["Authorization"] == "Bearer secret"


def test_get_ignores_the_namespace_of_cluster_scoped_kinds(api, kube):
    api.on("GET", "/api/v1/nodes/n", (200, {}))

    assert kube.get("v1/Node", "n", "shop") == {}


def test_objects_have_kind_and_api_version(api, kube):
    api.on("GET", PODS, listing({"metadata": {"name": "web"}}))

    assert kube.objects("v1/Pod", "shop", labels="app=web") == [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
    ]
    assert api.asked[-1] == ("GET", PODS, {"labelSelector": ["app=web"]})


def test_objects_without_a_namespace_are_those_of_all(api, kube):
    api.on("GET", "/api/v1/pods", listing())

    assert kube.objects("v1/Pod") == []


def test_apply_is_server_side_with_force(api, kube):
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    api.on("PATCH", path, (200, {**obj, "status": {}}))

    assert kube.apply(obj)["status"] == {}
    assert api.asked[-1] == ("PATCH", path, {"fieldManager": ["seatrial"], "force": ["true"]})
    assert api.bodies == [obj]
    assert api.headers[-1]["Content-Type"] == "application/apply-patch+yaml"


def test_delete_returns_whether_the_object_existed(api, kube):
    api.on("DELETE", f"{PODS}/web", (200, {"kind": "Status"}))

    assert kube.delete("v1/Pod", "web", "shop", grace=0)
    assert api.bodies[-1]["gracePeriodSeconds"] == 0
    assert api.bodies[-1]["propagationPolicy"] == "Background"
    assert not kube.delete("v1/Pod", "none", "shop")


def test_refused_request_has_the_message_of_the_api(api, kube):
    api.on("GET", f"{PODS}/web", (403, {"message": 'pods "web" is forbidden'}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("v1/Pod", "web", "shop")
    assert caught.value.reason == 'pods "web" is forbidden'


def test_refused_request_without_a_status_object_has_the_http_status(api, kube):
    api.on("GET", f"{PODS}/web", (418, b"teapot"))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("v1/Pod", "web", "shop")
    assert caught.value.reason == "HTTP status 418: teapot"


def test_objects_of_a_missing_path_fail(kube):
    with pytest.raises(EnvironmentFailed):
        kube.objects("v1/Pod", "shop")


def test_request_is_retried_while_the_server_is_busy(api, kube):
    api.on("GET", "/version", (503, {}), (429, {}), (200, {"gitVersion": "v1"}))

    assert kube.version() == "v1"


def test_request_fails_after_four_attempts(api, kube):
    api.on("GET", "/version", (500, {"message": "etcd is down"}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.version()
    assert caught.value.reason == "etcd is down"
    assert len(api.asked) == 4


def test_request_is_retried_on_a_lost_connection(api, kube):
    api.on("GET", "/version", (200, {"gitVersion": "v1"}))
    kube.version()
    api.drop = 1

    assert kube.version() == "v1"


def test_unreachable_server_is_named():
    access = Access(host="127.0.0.1", port=1, path="", tls=None, server_name="x", authorization=lambda: "")

    with pytest.raises(EnvironmentFailed) as caught:
        KubeApi(access).version()
    assert "127.0.0.1:1 does not answer" in caught.value.message


def test_logs_have_tail_since_and_previous(api, kube):
    api.on("GET", f"{PODS}/web/log", (200, b"one\ntwo\n"))

    assert kube.logs("web", "shop", "app", tail=2, previous=True) == b"one\ntwo\n"
    assert api.asked[-1][2] == {"container": ["app"], "tailLines": ["2"], "previous": ["true"]}
    assert kube.logs("none", "shop", "app") == b""


LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x", "namespace": "shop"}}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"


@pytest.mark.parametrize(("status", "done"), [(201, True), (409, False)])
def test_create_returns_false_if_the_object_exists(api, kube, status, done):
    api.on("POST", LEASES, (status, {"message": "already exists"}))

    assert kube.create(LEASE) is done
    assert api.bodies == [LEASE]


@pytest.mark.parametrize(("status", "done"), [(200, True), (409, False), (404, False)])
def test_replace_returns_false_on_a_conflict(api, kube, status, done):
    api.on("PUT", f"{LEASES}/x", (status, {"message": "the object has been modified"}))

    assert kube.replace(LEASE) is done


def test_forbidden_create_and_replace_fail(api, kube):
    api.on("POST", LEASES, (403, {"message": "leases is forbidden"}))

    with pytest.raises(EnvironmentFailed) as raised:
        kube.create(LEASE)
    assert raised.value.reason == "leases is forbidden"


def test_answers_is_true_for_a_success_status_only(api, kube):
    api.on("GET", "/version", (200, {}))
    assert kube.answers(5)
    api.drop = 1
    assert not kube.answers(5)
    assert len(api.asked) == 2, "asked once each"


def test_followed_lines_have_no_timestamps(api, kube):
    api.on("GET", f"{PODS}/web/log", (200, b"2026-01-01T00:00:00.1Z one\n2026-01-01T00:00:00.2Z two words\n"))

    assert list(kube.follow("web", "shop", "app", tail=2, since=60)) == [b"one\n", b"two words\n"]
    query = {"container": ["app"], "tailLines": ["2"], "sinceSeconds": ["60"]}
    assert api.asked[-1][2] == {**query, "follow": ["true"], "timestamps": ["true"]}
    assert list(kube.follow("none", "shop", "app")) == []


def test_watch_lists_first_and_then_reports_changes(api, kube):
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
def test_watch_lists_again_after_410_gone(api, kube, gone):
    api.on("GET", PODS, listing(pod("a"), version="10"), listing(pod("b"), version="99"))
    api.lines[PODS] = [gone]
    watch = kube.watch("v1/Pod", "shop")

    assert [change.type for change in itertools.islice(watch, 2)] == ["synced", "synced"]
    watch.close()


def test_watch_continues_after_errors(api, kube):
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


def test_every_kind_of_request_impersonates(api):
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


def test_dry_run_create_impersonates_and_creates_nothing(api):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}
    api.on("POST", "/api/v1/namespaces", (422, {"message": "confined"}), (201, namespace))
    with serving(api) as access:
        client = KubeApi(dataclasses.replace(access, impersonation=IMPERSONATING))
        assert client.dry_run_create(namespace, user="sa", groups=("a", "b")) == "confined"
        assert client.dry_run_create(namespace, user="sa", groups=()) == ""
        client.close()

    assert [query for *_, query in api.asked] == [{"dryRun": ["All"]}] * 2
    assert api.repeated[0]["Impersonate-User"] == ["sa"]
    assert api.repeated[0]["Impersonate-Group"] == ["a", "b"]
    assert "Impersonate-Group" not in api.repeated[1]


def test_missing_permission_and_missing_path_have_their_own_errors(api, kube):
    api.on("GET", "/api/v1/namespaces", (403, {"message": "no"}))

    with pytest.raises(AccessDenied):
        kube.objects("v1/Namespace")
    with pytest.raises(NotServed):
        kube.objects("admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")
