"""API paths of Kubernetes kinds: from the table, or by discovery."""

from __future__ import annotations

import pytest
from seatrial.model.errors import EnvironmentFailed


def test_unknown_group_is_discovered_once(api, kube):
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


def test_missing_kind_fails_with_its_name(api, kube):
    api.on("GET", "/apis/acme.io/v1", (404, {}))

    with pytest.raises(EnvironmentFailed) as caught:
        kube.get("acme.io/v1/Widget", "w")
    assert caught.value.message == "kind Widget in acme.io/v1 not found in the cluster"
    assert caught.value.hint.endswith("kubectl api-resources --api-group=acme.io")


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
def test_common_kinds_need_no_discovery(api, kube, kind, path):
    api.on("GET", path, (200, {}))

    assert kube.get(kind, "x", "shop") == {}
    assert [asked for _, asked, _ in api.asked] == [path]
