from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.model.timeline_parts import ClusterObject, Endpoint, EndpointPort, Taint
from seatrial.ports import Object
from seatrial.watching.cluster_records import (
    endpoints_record,
    event_record,
    node_record,
    policy_record,
    refusal_record,
)

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
META = {"name": "it", "namespace": "shop", "uid": "u"}


def event(**more: object) -> Object:
    return {"metadata": META, "type": "Warning", "reason": "Unhealthy", "message": "no", **more}


def test_event_record_of_the_kubelet_names_the_container_and_both_times() -> None:
    record = event_record(
        event(
            involvedObject={
                "kind": "Pod",
                "name": "web-0",
                "namespace": "shop",
                "uid": "p",
                "fieldPath": "spec.containers{web}",
            },
            count=3,
            firstTimestamp="2026-01-31T10:00:00Z",
            lastTimestamp="2026-01-31T11:00:00Z",
            source={"component": "kubelet", "host": "node-1"},
        ),
        "added",
        AT,
    )

    assert record.regarding == ClusterObject(kind="Pod", name="web-0", namespace="shop", uid="p", container="web")
    assert record.count == 3
    assert (record.first, record.last) == (AT.replace(hour=10), AT.replace(hour=11))
    assert (record.source, record.node) == ("kubelet", "node-1")


def test_event_record_of_the_new_api_has_the_time_and_count_of_its_series() -> None:
    record = event_record(
        event(
            eventTime="2026-01-31T10:00:00.000000Z",
            series={"count": 5, "lastObservedTime": "2026-01-31T11:00:00.000000Z"},
            reportingComponent="default-scheduler",
        ),
        "added",
        AT,
    )

    assert (record.count, record.first, record.last) == (5, AT.replace(hour=10), AT.replace(hour=11))
    assert record.source == "default-scheduler"


@pytest.mark.parametrize(
    ("message", "by", "policy"),
    [
        ('Error creating: pods "web-1" is forbidden: exceeded quota: compute, requested: pods=1', "quota", "compute"),
        ('pods "web-1" is forbidden: failed quota: compute: must specify limits.cpu', "quota", "compute"),
        (
            'pods "web-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            "limit-range",
            "",
        ),
        (
            'Internal error occurred: failed calling webhook "v.example.com": context deadline exceeded',
            "webhook",
            "v.example.com",
        ),
        ('admission webhook "v.example.com" denied the request: no', "webhook", "v.example.com"),
        (
            'pods "web-1" is forbidden: violates PodSecurity "restricted:latest": hostPath',
            "policy",
            "restricted:latest",
        ),
        ("ValidatingAdmissionPolicy 'guard' with binding 'guard' denied request: no", "policy", "guard"),
        ("service account shop/default not found", "other", ""),
    ],
)
def test_refusal_record_says_what_refused_a_pod(message: str, by: str, policy: str) -> None:
    about = {"kind": "ReplicaSet", "name": "web-1", "namespace": "shop"}

    refusal = refusal_record(
        event_record(event(reason="FailedCreate", message=message, involvedObject=about), "added", AT)
    )

    assert refusal is not None
    assert (refusal.by, refusal.policy, refusal.regarding.name, refusal.event) == (by, policy, "web-1", "u")


@pytest.mark.parametrize(
    "more",
    [
        {"reason": "FailedCreate", "involvedObject": {"kind": "Ingress"}},
        {"reason": "FailedCreate", "involvedObject": {"kind": "ReplicaSet"}, "type": "Normal"},
        {"reason": "Unhealthy", "involvedObject": {"kind": "ReplicaSet"}},
    ],
)
def test_other_events_are_no_refusals(more: Object) -> None:
    assert refusal_record(event_record(event(**more), "added", AT)) is None


def test_node_record_has_conditions_taints_and_what_pods_can_use() -> None:
    node: Object = {
        "metadata": {"name": "node-1", "uid": "n"},
        "spec": {
            "unschedulable": True,
            "taints": [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}],
        },
        "status": {
            "allocatable": {"cpu": "2", "memory": "4Gi", "hugepages-2Mi": "0"},
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure"},
            ],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "node-1"}],
            "nodeInfo": {"kubeletVersion": "v1.34.4"},
        },
    }

    record = node_record(node, "listed", AT)

    assert (record.ready, record.unschedulable, record.kubelet) == (True, True, "v1.34.4")
    assert record.taints == (Taint(key="node.kubernetes.io/disk-pressure", effect="NoSchedule"),)
    assert record.allocatable == {"cpu": "2", "memory": "4Gi"}
    assert record.addresses == ("10.0.0.1",)
    assert [each.type for each in record.conditions] == ["DiskPressure", "Ready"]


def test_endpoints_record_separates_endpoints_by_readiness() -> None:
    obj: Object = {
        "metadata": {**META, "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "any", "port": None}],
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": True},
                "nodeName": "n",
                "targetRef": {"kind": "Pod", "name": "web-0", "uid": "p0"},
            },
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False, "terminating": True}},
            {"addresses": ["10.0.0.3"]},
        ],
    }

    record = endpoints_record(obj, "added", AT)

    assert record.service == "web"
    assert record.ready == (
        Endpoint(addresses=("10.0.0.1",), pod="web-0", uid="p0", node="n"),
        Endpoint(addresses=("10.0.0.3",)),
    )
    assert record.not_ready == (Endpoint(addresses=("10.0.0.2",), terminating=True),)
    assert record.ports == (EndpointPort(port=8080, name="http"), EndpointPort(port=0, name="any"))


def test_policy_record_has_selector_types_and_numbers_of_rules() -> None:
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}

    record = policy_record({"metadata": META, "spec": spec}, "added", AT)

    assert (record.selector, record.types) == ({"app": "web"}, ("Ingress", "Egress"))
    assert (record.ingress_rules, record.egress_rules) == (0, 1)
