from __future__ import annotations

import pytest
from seatrial.chart_checks.removed_apis import removed_apis


def obj(api, kind):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}}


@pytest.mark.parametrize(
    ("api", "kind", "version", "use"),
    [
        ("extensions/v1beta1", "Ingress", (1, 22), "networking.k8s.io/v1"),
        ("apps/v1beta2", "StatefulSet", (1, 34), "apps/v1"),
        ("batch/v1beta1", "CronJob", (1, 25), "batch/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", (1, 30), "policy/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", (1, 26), "autoscaling/v2"),
    ],
)
def test_removed_api_is_named_with_the_one_to_use(api, kind, version, use):
    (finding,) = removed_apis([obj(api, kind)], version)

    assert (finding.cause, finding.fatal) == ("RemovedApi", True)
    assert api in finding.message
    assert finding.hint == f"write apiVersion: {use}"


@pytest.mark.parametrize(
    ("api", "kind", "version"),
    [
        ("extensions/v1beta1", "Ingress", (1, 21)),
        ("batch/v1beta1", "CronJob", (1, 24)),
        ("batch/v1", "CronJob", (1, 34)),
        ("example.com/v1beta1", "Ingress", (1, 34)),
    ],
)
def test_served_api_is_no_finding(api, kind, version):
    assert list(removed_apis([obj(api, kind)], version)) == []


def test_kind_without_successor_is_to_be_removed():
    (finding,) = removed_apis([obj("policy/v1beta1", "PodSecurityPolicy")], (1, 25))
    assert finding.hint == "remove it: no version of Kubernetes replaces PodSecurityPolicy"
