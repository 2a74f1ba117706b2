"""What holds a pod up, and for how long that is tolerated."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.objects import pod_ref
from seatrial.readiness.pod import container_state, judge_pod

from .objects import ended, event, pod, running, waiting


def suspicion(judged):
    assert judged.state == "waiting"
    assert len(judged.suspicions) == 1
    return judged.suspicions[0]


def test_pod_with_condition_ready_is_ready():
    assert judge_pod(pod(running("web")), []).state == "ready"


def test_succeeded_pod_is_ready():
    assert judge_pod(pod(ended("job", 0, "Completed"), phase="Succeeded"), []).state == "ready"


def test_unready_pod_waits_for_its_probe():
    judged = judge_pod(pod(running("web", ready=False)), [])

    assert (judged.state, judged.reason, judged.suspicions) == ("waiting", "web to be ready", ())


def test_pod_without_container_statuses_waits_for_its_containers():
    assert judge_pod(pod(phase="Pending"), []).reason == "its containers to be created"


def test_pod_with_a_failing_readiness_gate_waits_with_the_probe_message():
    it = pod(running("web"), conditions=({"type": "Ready", "status": "False"},))

    failed = event(it, "Unhealthy", "Readiness probe failed: 503")
    assert judge_pod(it, [failed]).reason == "Readiness probe failed: 503"
    assert judge_pod(it, [event(it, "Pulled")]).reason == "its readiness probe"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
@pytest.mark.parametrize(
    ("message", "cause", "grace"),
    [
        ("docker.io/library/web:1: not found", "ImageNotFound", 0),
        ("manifest unknown: manifest unknown", "ImageNotFound", 0),
        ("pull access denied, repository does not exist", "ImageNotFound", 0),
        ("401 Unauthorized", "ImageUnauthorized", 0),
        ("dial tcp 10.0.0.1:443: i/o timeout", "RegistryUnreachable", 45),
        ("", "ImagePull", 45),
    ],
)
def test_failed_image_pull_has_grace_unless_the_image_does_not_exist(reason, message, cause, grace):
    found = suspicion(judge_pod(pod(waiting("web", reason, message)), []))

    assert found.grace == grace
    assert found.finding.cause == cause
    assert found.finding.message.startswith("image web:1 cannot be pulled")
    assert found.finding.subject.container == "web"


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_invalid_image_names_are_fatal_at_once(reason):
    found = suspicion(judge_pod(pod(waiting("web", reason)), []))

    assert (found.finding.cause, found.grace) == (reason, 0)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("CreateContainerConfigError", "CreateContainerConfigError"),
        ("CreateContainerError", "CreateContainerError"),
    ],
)
def test_container_that_cannot_be_created_has_grace(reason, cause):
    judged = judge_pod(pod(waiting("web", reason, 'secret "shop" not found')), [])
    found = suspicion(judged)

    assert (found.finding.cause, found.grace) == (cause, 20)
    assert judged.reason == 'secret "shop" not found'


@pytest.mark.parametrize(("restarts", "grace"), [(1, 40), (2, 40), (3, 0)])
def test_crash_loop_has_grace_for_two_restarts(restarts, grace):
    before = {"exitCode": 3, "reason": "Error"}
    judged = judge_pod(pod(waiting("web", "CrashLoopBackOff", restarts=restarts, before=before)), [])
    found = suspicion(judged)

    assert found.grace == grace
    assert found.finding.cause == "Crash"
    assert found.finding.message == "container web ended with exit code 3"
    assert judged.reason == "web to start again"


def test_unknown_waiting_reason_is_shown():
    assert judge_pod(pod(waiting("web", "Pondering")), []).reason == "web: Pondering"


def test_container_being_created_is_waited_for():
    assert judge_pod(pod(waiting("web", "ContainerCreating")), []).reason == "web to be created"


def test_out_of_memory_finding_names_the_limit():
    before = {"exitCode": 137, "reason": "OOMKilled"}
    found = suspicion(judge_pod(pod(running("web", ready=False, before=before), limits={"memory": "64Mi"}), []))

    assert found.finding.cause == "OOMKilled"
    assert found.finding.message == "container web exceeded its memory limit of 64Mi"


def test_earlier_out_of_memory_kill_of_a_ready_pod_is_ignored():
    before = {"exitCode": 137, "reason": "OOMKilled"}

    assert judge_pod(pod(running("web", before=before)), []).state == "ready"


def test_out_of_memory_kill_with_exit_code_0_is_recognized():
    """A child of PID 1 was killed, under cgroup v1."""
    found = suspicion(judge_pod(pod(ended("web", 0, "OOMKilled")), []))

    assert found.finding.cause == "ChildOOMKilled"


def test_killed_container_hints_at_its_liveness_probe():
    found = suspicion(judge_pod(pod(ended("web", 137)), []))

    assert "liveness" in found.finding.hint


def test_missing_command_is_fatal_at_once():
    found = suspicion(judge_pod(pod(ended("web", 128, "StartError", 'exec: "webb": not found')), []))

    assert (found.finding.cause, found.grace) == ("StartError", 0)
    assert 'exec: "webb": not found' in found.finding.message


def test_finished_container_of_a_running_pod_is_not_a_problem():
    assert judge_pod(pod(ended("web", 0, "Completed"), running("side", ready=False)), []).suspicions == ()


@pytest.mark.parametrize(
    ("message", "grace"),
    [
        ("0/2 nodes are available: 2 Insufficient memory.", 20),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", 120),
        ("no nodes available to schedule pods", 120),
    ],
)
def test_unschedulable_pod_has_longer_grace_while_nodes_start(message, grace):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    judged = judge_pod(pod(phase="Pending", conditions=(condition,)), [])

    assert judged.reason == "a node"
    assert suspicion(judged).grace == grace


@pytest.mark.parametrize("containers", [(), (ended("web", 137),)])
def test_evicted_pod_shows_the_reason(containers):
    evicted = pod(*containers, phase="Failed", reason="Evicted", message="The node was low on memory")
    found = suspicion(judge_pod(evicted, []))

    assert (found.finding.cause, found.grace) == ("Evicted", 0)
    assert found.finding.message.endswith("evicted it: The node was low on memory")


def test_failed_pod_without_reason_is_a_finding():
    assert suspicion(judge_pod(pod(phase="Failed"), [])).finding.cause == "PodFailed"


def test_failed_pod_names_the_container_that_failed():
    judged = judge_pod(pod(ended("web", 7), running("side"), phase="Failed", init=(ended("first", 0),)), [])
    found = suspicion(judged)

    assert (found.finding.subject.container, found.grace) == ("web", 0)


def test_failed_mount_is_found_in_events():
    it = pod(waiting("web", "ContainerCreating"))
    warnings = [event(it, "FailedMount", 'MountVolume.SetUp failed: secret "x" not found'), event(it, "Other")]
    judged = judge_pod(it, warnings)

    assert suspicion(judged).finding.cause == "FailedMount"
    assert judged.reason == 'MountVolume.SetUp failed: secret "x" not found'


@pytest.mark.parametrize("sign", ["sandbox", "container"])
def test_failed_mount_is_ignored_once_the_sandbox_exists(sign):
    """The kubelet never withdraws a warning about a late volume: the next step proves that it was mounted."""
    it = pod(waiting("web", "ContainerCreating")) if sign == "sandbox" else pod(running("web", ready=False))
    if sign == "sandbox":
        it["status"]["conditions"] = [{"type": "PodReadyToStartContainers", "status": "True"}]
    warnings = [event(it, "FailedMount", "failed to sync configmap cache: timed out waiting for the condition")]

    assert judge_pod(it, warnings).suspicions == ()


def test_init_container_is_judged():
    it = pod(waiting("web", "PodInitializing"), init=(waiting("first", "ImagePullBackOff", "not found"),))

    assert suspicion(judge_pod(it, [])).finding.subject.container == "first"


def test_long_messages_are_cut_to_one_line():
    message = "x" * 500

    assert len(judge_pod(pod(waiting("web", "CreateContainerError", message)), []).reason) == 160


def test_memory_limit_of_an_unknown_container_is_left_out():
    it = pod(ended("web", 137, "OOMKilled"))
    it["spec"]["containers"] = []

    assert suspicion(judge_pod(it, [])).finding.message.endswith("its memory limit")


def test_container_state_is_running_waiting_terminated_or_gone():
    it = pod(running("web"), ended("job", 3, "Error", "boom"), waiting("late", "ContainerCreating", "soon"))

    assert container_state(it, "web").state == "running"
    ended_state = container_state(it, "job")
    assert (ended_state.state, ended_state.code, ended_state.reason, ended_state.message) == (
        "terminated",
        3,
        "Error",
        "boom",
    )
    assert container_state(it, "late").reason == "ContainerCreating"
    assert container_state(it, "nobody").state == "waiting"
    assert container_state(None, "web").state == "gone"


def test_object_reference_is_formatted_as_by_kubectl():
    assert str(pod_ref(pod(), "web")) == "pod/web-0 container web"
