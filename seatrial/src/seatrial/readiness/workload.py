"""Judge a workload: whether all its pods run its newest template and are ready.

The rules are those of `kubectl rollout status`:
https://github.com/kubernetes/kubernetes/blob/v1.34.0/staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go
"""

from __future__ import annotations

from typing import Any, Final

from seatrial.diagnose.rules.admission import refusal
from seatrial.diagnose.rules.jobs import job_failure
from seatrial.diagnose.rules.objects import object_ref
from seatrial.model.finding import Finding
from seatrial.ports import Object
from seatrial.readiness.judgment import READY, Judgment, Suspicion, waiting
from seatrial.readiness.pod import judge_pod
from seatrial.readiness.snapshot import Snapshot

__all__ = ["WORKLOADS", "judge_workload"]

WORKLOADS: Final = {
    "Deployment": "apps/v1/Deployment",
    "StatefulSet": "apps/v1/StatefulSet",
    "DaemonSet": "apps/v1/DaemonSet",
    "Job": "batch/v1/Job",
    "Pod": "v1/Pod",
}
"""Kinds that must become ready, with their API versions; other objects are complete when they are created."""

_RETRIED: Final = frozenset(("Crash", "OOMKilled", "ChildOOMKilled", "InitContainerFailed"))
"""Causes of failed pods that a Job replaces by others."""

_CREATE_GRACE: Final = 15.0
"""For a quota that another release increases, or a webhook that starts."""


def judge_workload(kind: str, namespace: str, name: str, snapshot: Snapshot) -> Judgment:
    """Judge one workload.

    Args:
        kind: one of `WORKLOADS`.
        namespace: namespace of the workload.
        name: name of the workload.
        snapshot: pods, Warning events and workloads of that namespace.
    """
    workload = snapshot.get(WORKLOADS[kind], namespace, name)
    if workload is None:
        return waiting("to be created")
    if kind == "Pod":
        return judge_pod(workload, snapshot.warnings_about(workload))
    status, spec, meta = workload.get("status") or {}, workload["spec"], workload["metadata"]
    if kind != "Job" and int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
        return waiting("its controller to observe it")
    missing = _RULES[kind](spec, status) or _leaving(workload, snapshot)
    if not missing:
        return READY
    suspicions = [*_own(workload, snapshot)]
    details = ""
    for pod in snapshot.current_pods_of(workload):
        judged = judge_pod(pod, snapshot.warnings_about(pod))
        # A Job retries: its failed pods are not a problem.
        if kind != "Job":
            suspicions += judged.suspicions
        elif (pod.get("status") or {}).get("phase") != "Failed":
            suspicions += [each for each in judged.suspicions if each.finding.cause not in _RETRIED]
        details = details or judged.reason
    return waiting(f"{missing}: {details}" if details else missing, *suspicions)


def _leaving(workload: Object, snapshot: Snapshot) -> str:
    """Return which old pods have not ended: until then, nodes may route a Service to them."""
    old = snapshot.pods_of(workload, leaving=True) if workload["kind"] == "Deployment" else []
    running = [pod for pod in old if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    return f"{len(running)} old pods to end" if running else ""


def _deployment(spec: dict[str, Any], status: dict[str, Any]) -> str:
    wanted = int(spec.get("replicas", 1))
    updated, total, available = (
        int(status.get(key) or 0) for key in ("updatedReplicas", "replicas", "availableReplicas")
    )
    if updated < wanted:
        return f"{updated} of {wanted} pods created"
    if total > updated:
        return f"{total - updated} old pods to be deleted"
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _stateful_set(spec: dict[str, Any], status: dict[str, Any]) -> str:
    wanted = int(spec.get("replicas", 1))
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return f"{ready} of {wanted} pods ready"
    rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolling and status.get("updateRevision") != status.get("currentRevision"):
        return f"{int(status.get('updatedReplicas') or 0)} of {wanted} pods updated"
    return ""


def _daemon_set(spec: dict[str, Any], status: dict[str, Any]) -> str:
    del spec
    wanted = int(status.get("desiredNumberScheduled") or 0)
    updated, available = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods updated"
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _job(spec: dict[str, Any], status: dict[str, Any]) -> str:
    done = any(entry["type"] == "Complete" and entry["status"] == "True" for entry in status.get("conditions") or ())
    wanted = int(spec.get("completions") or 1)
    return "" if done else f"{int(status.get('succeeded') or 0)} of {wanted} completions"


_RULES: Final = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job}


def _own(workload: Object, snapshot: Snapshot) -> list[Suspicion]:
    """Return what is wrong with the workload itself: it failed, or cannot create its pods."""
    ref = object_ref(workload)
    found = []
    for entry in (workload.get("status") or {}).get("conditions") or ():
        message = str(entry.get("message", ""))
        if entry["type"] in ("Failed", "FailureTarget") and entry["status"] == "True":
            found.append(Suspicion(finding=job_failure(workload, entry), grace=0.0))
        elif entry["type"] == "Progressing" and entry.get("reason") == "ProgressDeadlineExceeded":
            finding = Finding(
                cause=entry["reason"],
                subject=ref,
                message=message or "it made no progress within its progressDeadlineSeconds",
                evidence=(message,),
                hint=f"kubectl -n {ref.namespace} describe {ref}",
            )
            found.append(Suspicion(finding=finding, grace=0.0))
        elif entry["type"] == "ReplicaFailure" and entry["status"] == "True":
            # Its event belongs to the ReplicaSet.
            found.append(Suspicion(finding=refusal(ref, message), grace=_CREATE_GRACE))
    latest = snapshot.warnings_about(workload)[-1:]
    refusals = [
        refusal(ref, str(event.get("message", ""))) for event in latest if event.get("reason") == "FailedCreate"
    ]
    return found + [Suspicion(finding=finding, grace=_CREATE_GRACE) for finding in refusals]
