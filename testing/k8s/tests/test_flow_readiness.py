"""What is ready, what is waited for, and what never will be."""

import pytest
from flow.readiness import DOOMED, judge, judge_pod


def pod(name="web-1", *, state=None, last=None, conditions=(), image="shop/web:7"):
    status = {"name": "web", "state": state or {"running": {}}, "lastState": last or {}}
    return {
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "web", "image": image}]},
        "status": {"containerStatuses": [status], "conditions": list(conditions)},
    }


def deployment(*, want=1, ready=1, updated=None, generation=1, seen=1):
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": generation},
        "spec": {"replicas": want},
        "status": {
            "readyReplicas": ready,
            "updatedReplicas": want if updated is None else updated,
            "observedGeneration": seen,
        },
    }


def job(*conditions):
    return {"kind": "Job", "metadata": {"name": "seed"}, "status": {"conditions": list(conditions)}}


def test_a_namespace_with_nothing_in_it_is_not_ready():
    assert not judge([]).ready


def test_pods_alone_are_not_ready_either():
    assert not judge([pod()]).ready


def test_all_there_is_ready():
    assert judge([deployment(), pod(), job({"type": "Complete", "status": "True"})]).ready


@pytest.mark.parametrize(
    "item",
    [
        deployment(want=2, ready=1),
        deployment(generation=2, seen=1),
        deployment(updated=0),
        {"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 1}, "status": {}},
        {"kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": {}, "status": {"desiredNumberScheduled": 0}},
        job(),
        job({"type": "Failed", "status": "False"}),
    ],
)
def test_what_is_on_its_way_is_waited_for_by_name(item):
    verdict = judge([item])

    assert not verdict.ready
    assert not verdict.doomed
    assert item["metadata"]["name"] in verdict.waiting[0]


def test_a_workload_scaled_to_nothing_is_ready():
    assert judge([deployment(want=0, ready=0)]).ready


@pytest.mark.parametrize("reason", DOOMED)
def test_a_state_that_waiting_cannot_mend_is_doomed(reason):
    verdict = judge([deployment(ready=0), pod(state={"waiting": {"reason": reason, "message": "the kubelet's words"}})])

    (doom,) = verdict.doomed
    assert (doom.pod, doom.container, doom.image) == ("pod/web-1", "web", "shop/web:7")
    assert reason in doom.says
    assert doom.detail == "the kubelet's words"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", ""])
def test_a_container_that_starts_is_not_doomed(reason):
    assert not judge([pod(state={"waiting": {"reason": reason}})]).doomed


def test_a_crash_is_told_with_how_the_former_life_ended():
    crashing = pod(
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    )

    (doom,) = judge([crashing]).doomed

    assert doom.detail == "exit code 137, OOMKilled"
    assert doom.previous


def test_an_init_container_counts():
    waiting = pod()
    waiting["spec"]["initContainers"] = [{"name": "wait", "image": "shop/wait:1"}]
    waiting["status"]["initContainerStatuses"] = [
        {"name": "wait", "state": {"waiting": {"reason": "ErrImagePull"}}, "lastState": {}}
    ]

    (doom,) = judge([waiting]).doomed

    assert (doom.container, doom.image) == ("wait", "shop/wait:1")


def test_a_failed_job_is_doomed_with_its_message():
    (doom,) = judge([job({"type": "Failed", "status": "True", "message": "backoff limit"})]).doomed

    assert (doom.pod, doom.detail) == ("job/seed", "backoff limit")


@pytest.mark.parametrize(
    ("message", "doomed"),
    [
        ("0/2 nodes are available: 2 Insufficient memory.", True),
        ("0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", False),
        ("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", False),
    ],
)
def test_a_pod_without_a_node_is_doomed_only_if_there_is_no_room(message, doomed):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}

    assert bool(judge([pod(conditions=[condition])]).doomed) is doomed


def test_a_pod_that_runs_to_its_end_is_ready_once_all_its_containers_run_or_ran():
    assert judge_pod(pod()).ready
    assert judge_pod(pod(state={"terminated": {"exitCode": 1}})).ready
    assert not judge_pod(pod(state={"waiting": {"reason": "ContainerCreating"}})).ready
    assert not judge_pod({"metadata": {"name": "p"}, "spec": {"containers": []}, "status": {"phase": "Pending"}}).ready
