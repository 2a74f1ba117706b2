"""Why no node accepts a pod."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.scheduling import explain_unscheduled, rejected, scheduling_cause, unscheduled


def pod(name="web-1", node="", requests=None, **spec):
    containers = [{"name": "web", "resources": {"requests": requests or {}}}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": containers, "nodeName": node, **spec},
    }


def node(name, labels=None, taints=(), **allocatable):
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable},
    }


def explained(it, nodes, pods=(), message="0/1 nodes are available: 1 Insufficient memory."):
    return explain_unscheduled(unscheduled(it, {"message": message}), it, nodes, pods)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}.",
            "InsufficientResources",
        ),
        ("0/2 nodes are available: 1 Too many pods.", "InsufficientResources"),
        ("0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", "HostPortTaken"),
        ("0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules.", "PodAntiAffinity"),
        ("0/2 nodes are available: 2 node(s) had untolerated taint {a: b}.", "UntoleratedTaint"),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", "UntoleratedTaint"),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", "NodeSelector"),
        ("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "ClaimPending"),
        ('0/2 nodes are available: persistentvolumeclaim "data" not found.', "ClaimNotFound"),
        ("no nodes available to schedule pods", "Unschedulable"),
    ],
)
def test_message_of_the_scheduler_has_a_cause(message, cause):
    assert scheduling_cause(message) == cause


def test_missing_memory_is_that_of_the_best_node():
    nodes = [node("small", memory="1Gi"), node("large", memory="4Gi")]
    taken = [
        pod("db-0", "large", {"memory": "1Gi"}),
        {**pod("old", "large", {"memory": "3Gi"}), "status": {"phase": "Failed"}},
    ]
    found = explained(pod(requests={"memory": "3584Mi"}), nodes, taken)

    assert found.message == (
        "it requests 3.5 GiB of memory; the largest free amount is 3.0 GiB of 4.0 GiB on node large:"
        " 512 MiB are missing"
    )


def test_init_container_counts_if_it_requests_more():
    it = pod(requests={"cpu": "1"}, initContainers=[{"name": "x", "resources": {"limits": {"cpu": "4"}}}])
    found = explained(it, [node("n", cpu="2")], message="0/1 nodes are available: 1 Insufficient cpu.")

    assert "it requests 4 CPUs" in found.message


def test_resources_that_fit_keep_the_message_of_the_scheduler():
    assert explained(pod(requests={"memory": "1Mi"}), [node("n", memory="1Gi")]).message.startswith(
        "no node accepts it"
    )


@pytest.mark.parametrize(
    ("operator", "values", "cause"),
    [
        ("In", ["a"], "InsufficientResources"),
        ("In", ["c"], "NodeSelector"),
        ("NotIn", ["a"], "NodeSelector"),
        ("Exists", [], "InsufficientResources"),
        ("DoesNotExist", [], "NodeSelector"),
        ("Gt", ["1"], "InsufficientResources"),
    ],
)
def test_node_affinity_is_evaluated(operator, values, cause):
    term = {"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    it = pod(requests={"memory": "2Gi"}, affinity={"nodeAffinity": required})

    assert explained(it, [node("n", {"zone": "a"}, memory="1Gi")]).cause == cause


@pytest.mark.parametrize(
    ("toleration", "cause"),
    [
        ({"operator": "Exists"}, "InsufficientResources"),
        ({"key": "team", "operator": "Exists"}, "InsufficientResources"),
        ({"key": "team", "value": "a"}, "InsufficientResources"),
        ({"key": "team", "value": "b"}, "UntoleratedTaint"),
        ({"key": "team", "value": "a", "effect": "NoExecute"}, "UntoleratedTaint"),
        ({"key": "other", "operator": "Exists"}, "UntoleratedTaint"),
    ],
)
def test_tolerations_are_evaluated(toleration, cause):
    taints = [{"key": "team", "value": "a", "effect": "NoSchedule"}, {"key": "x", "effect": "PreferNoSchedule"}]
    found = explained(
        pod(requests={"memory": "2Gi"}, tolerations=[toleration]), [node("n", taints=taints, memory="1Gi")]
    )

    assert found.cause == cause


def test_finding_is_unchanged_without_nodes():
    assert explained(pod(), []).message.startswith("no node accepts it")


def test_other_failures_of_pods_are_no_rejection():
    assert rejected(pod(), "Evicted", "") is None
