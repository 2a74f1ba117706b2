"""What is not ours is read, and not touched: the guard before each change in a cluster that others use too."""

from __future__ import annotations

import pytest
from seatrial.adapters.guarded_api import Guard, OursOnly
from seatrial.model.errors import EnvironmentFailed

from .fake_api import serving

OURS = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "shop"}
GUARD = Guard(project="shop", environment="pr-42", releases=frozenset({("pr-42", "web")}))


@pytest.fixture
def kube(api):
    with serving(api) as access:
        it = OursOnly(access, GUARD)
        yield it
        it.close()


def there(api, path, **meta):
    """Have an object, and a server that takes every change of it, and new objects beside it."""
    api.on("GET", path, (200, {"metadata": meta}))
    for method in ("PATCH", "PUT", "DELETE"):
        api.on(method, path, (200, {"metadata": meta}))
    api.on("POST", path.rpartition("/")[0], (201, {"metadata": meta}))


def changes(api):
    return [method for method, _, _ in api.asked if method != "GET"]


def secret(place):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": place}}


def test_all_that_is_in_a_namespace_of_ours_is_ours(api, kube):
    there(api, "/api/v1/namespaces/pr-42", labels={**OURS, "seatrial.dev/environment": "pr-42"})
    there(api, "/api/v1/namespaces/pr-42/secrets/x")

    kube.apply(secret("pr-42"))
    assert kube.create(secret("pr-42"))
    assert kube.replace(secret("pr-42"))
    assert kube.delete("v1/Secret", "x", "pr-42")
    assert changes(api) == ["PATCH", "POST", "PUT", "DELETE"]


@pytest.mark.parametrize(
    "labels",
    [
        {},
        OURS,
        {**OURS, "seatrial.dev/environment": "pr-41"},
        {**OURS, "seatrial.dev/environment": "pr-42", "seatrial.dev/project": "theirs"},
    ],
)
def test_nothing_is_changed_in_a_namespace_of_others(api, kube, labels):
    there(api, "/api/v1/namespaces/other", labels=labels)
    there(api, "/api/v1/namespaces/other/secrets/x", labels=OURS)

    for change in (
        lambda: kube.apply(secret("other")),
        lambda: kube.create(secret("other")),
        lambda: kube.replace(secret("other")),
        lambda: kube.delete("v1/Secret", "x", "other"),
    ):
        with pytest.raises(EnvironmentFailed, match="nothing is changed in namespace other"):
            change()
    assert changes(api) == []


def test_where_its_owner_allows_it_only_what_is_ours_is_changed(api, kube):
    there(api, "/api/v1/namespaces/team", labels={"seatrial.dev/use": "allowed"})
    api.on("PATCH", "/api/v1/namespaces/team/secrets/x", (200, {}))
    kube.apply(secret("team"))
    there(api, "/api/v1/namespaces/team/secrets/x", labels=OURS)
    kube.apply(secret("team"))
    assert changes(api) == ["PATCH", "PATCH"]

    there(api, "/api/v1/namespaces/team/secrets/x", labels={"app": "theirs"})
    with pytest.raises(EnvironmentFailed, match="Secret x in namespace team is not ours and is not changed"):
        kube.apply(secret("team"))
    with pytest.raises(EnvironmentFailed, match="is not replaced"):
        kube.replace(secret("team"))
    with pytest.raises(EnvironmentFailed, match="is not deleted"):
        kube.delete("v1/Secret", "x", "team")
    assert changes(api) == ["PATCH", "PATCH"]
    # A new object takes nothing from anybody: the API refuses a name that is taken.
    assert kube.create(secret("team"))


def test_namespaces_and_other_things_of_the_whole_cluster(api, kube):
    there(api, "/api/v1/namespaces/theirs", labels={})
    with pytest.raises(EnvironmentFailed, match="Namespace theirs is not ours and is not deleted"):
        kube.delete("v1/Namespace", "theirs")
    there(api, "/api/v1/namespaces/ours", labels=OURS)
    assert kube.delete("v1/Namespace", "ours")


def test_objects_of_our_release_are_ours(api, kube):
    there(api, "/api/v1/namespaces/team", labels={"seatrial.dev/use": "allowed"})
    path = "/apis/apps/v1/namespaces/team/deployments/web"
    mine = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "pr-42"}
    there(api, path, annotations=mine)
    assert kube.delete("apps/v1/Deployment", "web", "team")

    there(api, path, annotations={**mine, "meta.helm.sh/release-namespace": "prod"})
    with pytest.raises(EnvironmentFailed, match="Deployment web"):
        kube.delete("apps/v1/Deployment", "web", "team")


CLUSTER_WIDE = [
    ("v1/Namespace", "/api/v1/namespaces/x"),
    ("rbac.authorization.k8s.io/v1/ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
    ("storage.k8s.io/v1/StorageClass", "/apis/storage.k8s.io/v1/storageclasses/x"),
]


@pytest.mark.parametrize(("kind", "path"), CLUSTER_WIDE)
@pytest.mark.parametrize("labels", [{}, {"seatrial.dev/owner": "seatrial"}, {**OURS, "seatrial.dev/project": "theirs"}])
def test_what_belongs_to_the_whole_cluster_and_others_is_neither_applied_replaced_nor_deleted(
    api, kube, kind, path, labels
):
    there(api, path, labels=labels)
    version, _, bare = kind.rpartition("/")
    obj = {"apiVersion": version, "kind": bare, "metadata": {"name": "x"}}

    for change in (lambda: kube.apply(obj), lambda: kube.replace(obj), lambda: kube.delete(kind, "x")):
        with pytest.raises(EnvironmentFailed, match=f"{bare} x is not ours"):
            change()
    assert changes(api) == []


@pytest.mark.parametrize(("kind", "path"), CLUSTER_WIDE)
def test_what_belongs_to_the_whole_cluster_and_to_us_is_changed(api, kube, kind, path):
    there(api, path, labels=OURS)
    version, _, bare = kind.rpartition("/")
    obj = {"apiVersion": version, "kind": bare, "metadata": {"name": "x"}}
    kube.apply(obj)
    kube.create(obj)
    kube.replace(obj)
    kube.delete(kind, "x")

    assert changes(api) == ["PATCH", "POST", "PUT", "DELETE"]
