"""Changes of objects of other owners are refused in a shared cluster."""

from __future__ import annotations

import pytest
from seatrial.adapters.guarded_api import Guard, GuardedApi
from seatrial.model.errors import EnvironmentFailed

from .fake_api import serving

OWNED = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "shop"}
GUARD = Guard(project="shop", environment="pr-42", releases=frozenset({("pr-42", "web")}))


@pytest.fixture
def kube(api):
    with serving(api) as access:
        it = GuardedApi(access, GUARD)
        yield it
        it.close()


def existing(api, path, **meta):
    """Add an object, and let the server accept changes of it and new objects of its kind."""
    api.on("GET", path, (200, {"metadata": meta}))
    for method in ("PATCH", "PUT", "DELETE"):
        api.on(method, path, (200, {"metadata": meta}))
    api.on("POST", path.rpartition("/")[0], (201, {"metadata": meta}))


def changes(api):
    return [method for method, _, _ in api.asked if method != "GET"]


def secret(place):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": place}}


def test_objects_in_an_owned_namespace_are_changed(api, kube):
    existing(api, "/api/v1/namespaces/pr-42", labels={**OWNED, "seatrial.dev/environment": "pr-42"})
    existing(api, "/api/v1/namespaces/pr-42/secrets/x")

    kube.apply(secret("pr-42"))
    assert kube.create(secret("pr-42"))
    assert kube.replace(secret("pr-42"))
    assert kube.delete("v1/Secret", "x", "pr-42")
    assert changes(api) == ["PATCH", "POST", "PUT", "DELETE"]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        OWNED,
        {**OWNED, "seatrial.dev/environment": "pr-41"},
        {**OWNED, "seatrial.dev/environment": "pr-42", "seatrial.dev/project": "theirs"},
    ],
)
def test_objects_in_a_namespace_of_another_owner_are_not_changed(api, kube, labels):
    existing(api, "/api/v1/namespaces/other", labels=labels)
    existing(api, "/api/v1/namespaces/other/secrets/x", labels=OWNED)

    for change in (
        lambda: kube.apply(secret("other")),
        lambda: kube.create(secret("other")),
        lambda: kube.replace(secret("other")),
        lambda: kube.delete("v1/Secret", "x", "other"),
    ):
        with pytest.raises(EnvironmentFailed, match="namespace other belongs to another owner and is not changed"):
            change()
    assert changes(api) == []


def test_lent_namespace_allows_changes_of_owned_objects_only(api, kube):
    existing(api, "/api/v1/namespaces/team", labels={"seatrial.dev/use": "allowed"})
    api.on("PATCH", "/api/v1/namespaces/team/secrets/x", (200, {}))
    kube.apply(secret("team"))
    existing(api, "/api/v1/namespaces/team/secrets/x", labels=OWNED)
    kube.apply(secret("team"))
    assert changes(api) == ["PATCH", "PATCH"]

    existing(api, "/api/v1/namespaces/team/secrets/x", labels={"app": "theirs"})
    with pytest.raises(EnvironmentFailed, match="Secret x in namespace team already exists"):
        kube.apply(secret("team"))
    with pytest.raises(EnvironmentFailed, match="belongs to another owner"):
        kube.replace(secret("team"))
    with pytest.raises(EnvironmentFailed, match="belongs to another owner"):
        kube.delete("v1/Secret", "x", "team")
    assert changes(api) == ["PATCH", "PATCH"]
    # Creating is allowed: the API refuses a name that exists.
    assert kube.create(secret("team"))


def test_namespace_of_another_owner_is_not_deleted(api, kube):
    existing(api, "/api/v1/namespaces/theirs", labels={})
    with pytest.raises(EnvironmentFailed, match="Namespace theirs already exists and belongs to another owner"):
        kube.delete("v1/Namespace", "theirs")
    existing(api, "/api/v1/namespaces/owned", labels=OWNED)
    assert kube.delete("v1/Namespace", "owned")


def test_objects_of_an_owned_release_are_changed(api, kube):
    existing(api, "/api/v1/namespaces/team", labels={"seatrial.dev/use": "allowed"})
    path = "/apis/apps/v1/namespaces/team/deployments/web"
    mine = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "pr-42"}
    existing(api, path, annotations=mine)
    assert kube.delete("apps/v1/Deployment", "web", "team")

    existing(api, path, annotations={**mine, "meta.helm.sh/release-namespace": "prod"})
    with pytest.raises(EnvironmentFailed, match="Deployment web"):
        kube.delete("apps/v1/Deployment", "web", "team")


CLUSTER_WIDE = [
    ("v1/Namespace", "/api/v1/namespaces/x"),
    ("rbac.authorization.k8s.io/v1/ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
    ("storage.k8s.io/v1/StorageClass", "/apis/storage.k8s.io/v1/storageclasses/x"),
]


@pytest.mark.parametrize(("kind", "path"), CLUSTER_WIDE)
@pytest.mark.parametrize(
    "labels", [{}, {"seatrial.dev/owner": "seatrial"}, {**OWNED, "seatrial.dev/project": "theirs"}]
)
def test_cluster_scoped_objects_of_another_owner_are_not_changed(api, kube, kind, path, labels):
    existing(api, path, labels=labels)
    version, _, bare = kind.rpartition("/")
    obj = {"apiVersion": version, "kind": bare, "metadata": {"name": "x"}}

    for change in (lambda: kube.apply(obj), lambda: kube.replace(obj), lambda: kube.delete(kind, "x")):
        with pytest.raises(EnvironmentFailed, match=f"{bare} x already exists and belongs to another owner"):
            change()
    assert changes(api) == []


@pytest.mark.parametrize(("kind", "path"), CLUSTER_WIDE)
def test_owned_cluster_scoped_objects_are_changed(api, kube, kind, path):
    existing(api, path, labels=OWNED)
    version, _, bare = kind.rpartition("/")
    obj = {"apiVersion": version, "kind": bare, "metadata": {"name": "x"}}
    kube.apply(obj)
    kube.create(obj)
    kube.replace(obj)
    kube.delete(kind, "x")

    assert changes(api) == ["PATCH", "POST", "PUT", "DELETE"]
