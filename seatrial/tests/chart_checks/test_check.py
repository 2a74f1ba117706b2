from __future__ import annotations

import pytest
from seatrial.chart_checks.check import check_objects, kubernetes_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.34.4", (1, 34)),
        ("kindest/node:v1.30.0@sha256:0123", (1, 30)),
        ("registry.example:5000/node:v1.29.1", (1, 29)),
        ("kindest/node", None),
        ("", None),
    ],
)
def test_kubernetes_version(text, version):
    assert kubernetes_version(text) == version


def objects():
    env = [
        {"name": "WEB_MODE", "value": "x"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}},
    ]
    container = {"name": "c", "env": env, "resources": {"requests": {"cpu": "8"}}}
    meta = {"name": "web", "namespace": "shop"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": meta},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
         "spec": {"template": {"spec": {"containers": [container]}}}},
        {"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": meta},
    ]  # fmt: skip


def test_all_checks_run_and_fatal_findings_come_first():
    found = check_objects(objects(), version=(1, 34), cpus=2, memory=1 << 30)

    assert [each.cause for each in found] == ["RemovedApi", "MissingSecret", "Unschedulable", "ServiceLinkCollision"]
    assert [each.fatal for each in found] == [True, True, True, False]


def test_what_is_unknown_is_not_checked():
    found = check_objects(objects(), is_complete=False)
    assert [each.cause for each in found] == ["ServiceLinkCollision"]
