"""Whether a workload is all there in its newest version."""

from __future__ import annotations

import pytest
from seatrial.readiness.workload import judge_workload

from .objects import ended, event, pod, running, snapshot, waiting, workload

OWNER = ("ReplicaSet", "web-abc")


def owned(*containers, name="web-abc-1", owner=OWNER, **more):
    it = pod(*containers, name=name, owner=owner, **more)
    it["metadata"]["labels"] = {"pod-template-hash": "abc"}
    return it


def judge(kind, *objects, name="web"):
    return judge_workload(kind, "shop", name, snapshot(*objects))


def test_missing_workload_waits_to_be_created():
    assert judge("Deployment").reason == "to be created"


def test_workload_waits_for_its_controller_to_observe_it():
    it = workload("Deployment", observedGeneration=0)

    assert judge("Deployment", it).reason == "its controller to observe it"


@pytest.mark.parametrize(
    ("kind", "spec", "status", "reason"),
    [
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 1}, "1 of 2 pods created"),
        ("Deployment", {"replicas": 1}, {"updatedReplicas": 1, "replicas": 2}, "1 old pods to be deleted"),
        ("Deployment", {}, {"updatedReplicas": 1, "replicas": 1}, "0 of 1 pods available"),
        ("Deployment", {}, {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}, ""),
        ("Deployment", {"replicas": 0}, {}, ""),
        ("StatefulSet", {"replicas": 2}, {"readyReplicas": 1}, "1 of 2 pods ready"),
        ("StatefulSet", {}, {"readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"}, "0 of 1 pods updated"),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, {"readyReplicas": 1, "updateRevision": "b"}, ""),
        ("StatefulSet", {}, {"readyReplicas": 1}, ""),
        ("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, "1 of 2 pods updated"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1}, "0 of 1 pods available"),
        ("DaemonSet", {}, {}, ""),
        ("Job", {}, {}, "0 of 1 completions"),
        ("Job", {"completions": 3}, {"succeeded": 2}, "2 of 3 completions"),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, ""),
    ],
)
def test_rollout_waits_for_updated_and_available_pods(kind, spec, status, reason):
    assert judge(kind, workload(kind, spec=spec, **status)).reason == reason


def test_deployment_waits_with_the_reason_of_its_pods():
    bad = owned(waiting("web", "ImagePullBackOff", "not found"))
    judged = judge("Deployment", workload("Deployment", updatedReplicas=1, replicas=1), bad)

    assert judged.reason == "0 of 1 pods available: image web:1"
    assert [each.finding.cause for each in judged.suspicions] == ["ImageNotFound"]


def test_pods_being_deleted_are_ignored():
    bad = owned(waiting("web", "ImagePullBackOff", "not found"))
    bad["metadata"]["deletionTimestamp"] = "2026-01-31T15:45:01Z"

    assert judge("Deployment", workload("Deployment"), bad).suspicions == ()


@pytest.mark.parametrize(("phase", "reason"), [("Running", "1 old pods to end"), ("Succeeded", "")])
def test_deployment_waits_until_old_pods_have_ended(phase, reason):
    old = owned(running("web"), name="web-old-1", phase=phase)
    old["metadata"]["deletionTimestamp"] = "now"

    assert (
        judge("Deployment", workload("Deployment", updatedReplicas=1, replicas=1, availableReplicas=1), old).reason
        == reason
    )


def test_pods_of_other_workloads_are_ignored():
    other = pod(waiting("web", "ImagePullBackOff", "not found"), name="x", owner=("StatefulSet", "db"))
    lone = pod(waiting("web", "ImagePullBackOff", "not found"), name="y")
    adopted = pod(name="z", owner=("ReplicaSet", "web-abc"))
    adopted["metadata"]["ownerReferences"][0]["controller"] = False

    assert judge("Deployment", workload("Deployment"), other, lone, adopted).suspicions == ()


def test_replica_set_without_deployment_is_the_controller_itself():
    it = pod(waiting("web", "ImagePullBackOff", "not found"), name="x", owner=("ReplicaSet", "bare"))

    assert judge("Deployment", workload("Deployment", name="bare"), it, name="bare").suspicions == ()


def test_deployment_past_its_progress_deadline_is_fatal():
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "ReplicaSet has timed out progressing.",
    }
    judged = judge("Deployment", workload("Deployment", conditions=[condition]))

    assert judged.suspicions[0].finding.cause == "ProgressDeadlineExceeded"
    assert judged.suspicions[0].grace == 0


def test_refused_pods_are_a_finding_with_the_reason():
    it = workload("StatefulSet")
    judged = judge("StatefulSet", it, event(it, "FailedCreate", "exceeded quota: shop"))

    assert judged.suspicions[0].finding.message == "its pods are refused: exceeded quota: shop"


def test_refused_pods_of_a_deployment_are_found_in_its_condition():
    message = 'pods "web-1" is forbidden: violates PodSecurity "baseline:latest": hostPort'
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    (suspicion,) = judge("Deployment", workload("Deployment", conditions=[condition])).suspicions

    assert suspicion.finding.cause == "PodSecurity"
    assert suspicion.finding.message == "its pods are refused: Pod Security level baseline:latest forbids hostPort"
    assert suspicion.grace > 0, "a quota may be raised"


def test_only_the_latest_event_counts():
    it = workload("StatefulSet")
    events = [event(it, "FailedCreate", "old", at="2026-01-31T15:45:01Z"), event(it, "Fine", at="2026-01-31T15:45:02Z")]

    assert judge("StatefulSet", it, *events).suspicions == ()


def test_failed_pod_of_a_job_is_not_a_problem():
    owner = ("Job", "migrate")
    failed = pod(ended("run", 1), name="migrate-1", owner=owner, phase="Failed")
    crashing = pod(ended("run", 1), name="migrate-2", owner=owner)
    judged = judge("Job", workload("Job", name="migrate"), failed, crashing, name="migrate")

    assert (judged.reason, judged.suspicions) == ("0 of 1 completions: a pod that does not fail", ())


def test_job_with_a_missing_image_has_a_suspicion():
    it = pod(waiting("run", "ErrImagePull", "not found"), name="migrate-1", owner=("Job", "migrate"))
    judged = judge("Job", workload("Job", name="migrate"), it, name="migrate")

    assert [each.finding.cause for each in judged.suspicions] == ["ImageNotFound"]


def test_failed_job_is_fatal():
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached…"}
    judged = judge("Job", workload("Job", conditions=[condition]))

    assert judged.suspicions[0].finding.cause == "BackoffLimitExceeded"


def test_pod_without_controller_is_judged_as_a_pod():
    assert judge("Pod", pod(running("web"), name="web")).state == "ready"


def replica_set(name, revision, template_hash):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "labels": {"pod-template-hash": template_hash},
            "ownerReferences": [{"kind": "Deployment", "name": "web"}],
        },
    }


def test_pods_of_an_older_template_are_not_judged():
    it = workload("Deployment", updatedReplicas=1, replicas=2)
    it["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    old = owned(waiting("web", "ImagePullBackOff", "not found"))
    sets = replica_set("web-abc", "1", "abc"), replica_set("web-def", "2", "def")

    assert judge("Deployment", it, old, *sets).suspicions == ()
    it["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    assert len(judge("Deployment", it, old, *sets).suspicions) == 1


def test_no_pod_is_judged_until_the_newest_template_is_known():
    """After a rollback the Deployment may be seen as revision 3 before the ReplicaSet that it went back to is."""
    it = workload("Deployment", updatedReplicas=1, replicas=2)
    it["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    broken = owned(waiting("web", "ImagePullBackOff", "not found"))
    sets = replica_set("web-def", "1", "def"), replica_set("web-abc", "2", "abc")

    assert judge("Deployment", it, broken, *sets).suspicions == ()


def test_stateful_pods_of_an_older_template_are_not_judged():
    it = workload("StatefulSet", updateRevision="web-new")
    old = pod(waiting("web", "ImagePullBackOff", "not found"), name="web-0", owner=("StatefulSet", "web"))
    old["metadata"]["labels"] = {"controller-revision-hash": "web-old"}

    assert judge("StatefulSet", it, old).suspicions == ()
    old["metadata"]["labels"] = {"controller-revision-hash": "web-new"}
    assert len(judge("StatefulSet", it, old).suspicions) == 1
