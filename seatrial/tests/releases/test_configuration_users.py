"""Pods and the ConfigMaps and Secrets that they use."""

from __future__ import annotations

import pytest
from seatrial.releases.configuration_users import changed_configuration, references
from shop_world import deployment


def config(value, name="settings", **more):
    meta = {"name": name, "namespace": "shop", **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": value}}


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        ({"containers": [{"envFrom": [{"secretRef": {"name": "a"}}]}]}, {"v1/Secret shop a"}),
        (
            {"initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}]}]},
            {"v1/ConfigMap shop a"},
        ),
        ({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]}]}, {"v1/Secret shop a"}),
        (
            {"volumes": [{"secret": {"secretName": "a"}}, {"configMap": {"name": "b"}}]},
            {"v1/Secret shop a", "v1/ConfigMap shop b"},
        ),
        (
            {"volumes": [{"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}}]},
            {"v1/Secret shop a", "v1/ConfigMap shop b"},
        ),
        (
            {"ephemeralContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "a", "optional": True}}}]}]},
            {"v1/Secret shop a"},
        ),
        ({"volumes": [{"cephfs": {"secretRef": {"name": "a"}}}]}, {"v1/Secret shop a"}),
        ({"imagePullSecrets": [{"name": "pull"}], "containers": [{"name": "secret"}]}, set()),
    ],
)
def test_references_of_a_pod(spec, keys):
    assert references({"metadata": {"namespace": "shop"}, "spec": spec}) == keys


def test_changed_configuration_ignores_other_kinds_and_labels():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "v"}}
    before = [config("1"), config("1", "gone"), secret, deployment()]
    after = [config("2"), config("1", "new"), {**secret, "metadata": {"name": "s", "labels": {"chart": "2"}}}]

    assert sorted(changed_configuration(before, after, "shop")) == [
        "v1/ConfigMap shop gone",
        "v1/ConfigMap shop new",
        "v1/ConfigMap shop settings",
    ]
