"""Unhealthy nodes, and pods that were taken from them."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.nodes import disrupted, pod_failure, troubled_nodes


def node(**conditions):
    entries = [{"type": kind, "status": status, "message": f"{kind}!"} for kind, status in conditions.items()]
    return {"metadata": {"name": "n"}, "status": {"conditions": entries}}


def test_unhealthy_conditions_of_nodes_are_findings():
    assert troubled_nodes([node(Ready="True", MemoryPressure="False"), {"metadata": {"name": "new"}}]) == []
    found = troubled_nodes([node(Ready="False", DiskPressure="True", Custom="True")])

    assert [(each.cause, each.evidence) for each in found] == [
        ("NodeNotReady", ("Ready!",)),
        ("DiskPressure", ("DiskPressure!",)),
    ]


def test_node_that_does_not_answer_has_one_finding():
    assert [each.cause for each in troubled_nodes([node(Ready="Unknown", MemoryPressure="Unknown")])] == [
        "NodeNotReady"
    ]


def pod(conditions=(), phase="Running", **meta):
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", **meta},
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "conditions": list(conditions)},
    }


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("Evicted", "The node was low on resource: memory.", "Evicted"),
        ("Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "1Mi".', "StorageLimit"),
        ("OutOfcpu", "Node didn't have enough resource: cpu", "InsufficientResources"),
        ("NodeLost", "the node was lost", "NodeLost"),
    ],
)
def test_reason_of_a_failed_pod_is_explained(reason, message, cause):
    assert pod_failure(pod(phase="Failed"), reason, message).cause == cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("EvictionByEvictionAPI", "Evicted"), ("PreemptionByScheduler", "Preempted"), ("New", "Evicted")],
)
def test_disruption_of_a_pod_that_is_being_deleted_is_a_finding(reason, cause):
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason}

    assert disrupted(pod([condition], deletionTimestamp="now")).cause == cause
    assert disrupted(pod([condition])) is None


def test_deletion_by_a_client_is_no_problem():
    assert disrupted(pod(deletionTimestamp="now")) is None
    assert disrupted(pod(deletionTimestamp="now", finalizers=["a"])) is None
