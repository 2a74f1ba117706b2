"""Find unhealthy nodes, and pods that were evicted from them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from seatrial.diagnose.rules.objects import pod_ref, short
from seatrial.diagnose.rules.scheduling import rejected
from seatrial.diagnose.rules.volumes import storage_limit
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["disrupted", "pod_failure", "troubled_nodes"]

_CAUSES: Final = {
    "Ready": ("NodeNotReady", "its kubelet does not answer or its runtime fails: restart the node, or its container"),
    "MemoryPressure": ("MemoryPressure", "free memory of the machine, or stop other programs"),
    "DiskPressure": ("DiskPressure", "free disk space of the machine: docker system df"),
    "PIDPressure": ("PIDPressure", "a pod starts too many processes: limit it"),
    "NetworkUnavailable": ("NetworkUnavailable", "the network plug-in of the node does not run"),
}

_DISRUPTIONS: Final = {
    "EvictionByEvictionAPI": ("Evicted", "is being evicted through the API, as kubectl drain does"),
    "DeletionByTaintManager": ("Evicted", "is being evicted because its node has a taint"),
    "DeletionByPodGC": ("Evicted", "is being deleted because its node does not exist"),
    "PreemptionByScheduler": ("Preempted", "is being preempted for a pod with a higher priority"),
    "TerminationByKubelet": ("Evicted", "is being ended by the kubelet"),
}
"""Reasons of the condition DisruptionTarget: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"""


def troubled_nodes(nodes: Iterable[Object]) -> list[Finding]:
    """Return a finding for each unhealthy condition of a node."""
    return [finding for node in nodes for finding in _conditions(node)]


def _conditions(node: Object) -> Iterator[Finding]:
    for entry in (node.get("status") or {}).get("conditions") or ():
        healthy = "True" if entry["type"] == "Ready" else "False"
        if entry["status"] == healthy or entry["type"] not in _CAUSES:
            continue
        # The node controller sets all conditions to Unknown when a node does not answer.
        if entry["type"] != "Ready" and entry["status"] == "Unknown":
            continue
        cause, hint = _CAUSES[entry["type"]]
        message = str(entry.get("message", ""))
        since = f" since {entry['lastTransitionTime']}" if entry.get("lastTransitionTime") else ""
        yield Finding(
            cause=cause,
            subject=ObjectRef(kind="Node", name=node["metadata"]["name"]),
            message=f"condition {entry['type']} is {entry['status']}{since}: {message}",
            evidence=(message,) if message else (),
            hint=hint,
            brief="not ready" if entry["type"] == "Ready" else cause,
        )


def pod_failure(pod: Object, reason: str, message: str) -> Finding:
    """Return why the kubelet or a controller ended a pod as a whole.

    Args:
        pod: the pod, in phase Failed.
        reason: of its status: `Evicted`, `DeadlineExceeded`, `OutOfmemory`.
        message: of its status.
    """
    if found := rejected(pod, reason, message):
        return found
    if reason == "Evicted" and ("exceeds the" in message or "exceeded its" in message or "exceeds its" in message):
        return storage_limit(pod, message)
    text, hint = short(message) or "the pod failed", ""
    if reason == "DeadlineExceeded":
        text = f"it ran longer than its activeDeadlineSeconds of {pod['spec'].get('activeDeadlineSeconds')}"
        hint = "increase or remove activeDeadlineSeconds of the pod"
    elif reason == "Evicted":
        text = f"node {pod['spec'].get('nodeName', '')} evicted it: {text}"
        hint = "free memory or disk space of the machine, and set requests: pods without them are evicted first"
    return Finding(
        cause=reason,
        subject=pod_ref(pod),
        message=text,
        evidence=(message,) if message else (),
        hint=hint,
        brief="was evicted" if reason == "Evicted" else "",
    )


def disrupted(pod: Object) -> Finding | None:
    """Return why a pod is being deleted; None if it is not, or if a client of the API asked for it.

    Finalizers that keep a pod after all its containers ended are a cause of their own.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    if not meta.get("deletionTimestamp"):
        return None
    for entry in status.get("conditions") or ():
        if entry["type"] == "DisruptionTarget" and entry["status"] == "True":
            cause, how = _DISRUPTIONS.get(str(entry.get("reason")), ("Evicted", "is being evicted"))
            text = str(entry.get("message", ""))
            return Finding(
                cause=cause,
                subject=pod_ref(pod),
                message=f"it {how}" + (f": {short(text)}" if text else ""),
                evidence=(text,) if text else (),
                hint="give it a priorityClassName, or let fewer pods run"
                if cause == "Preempted"
                else "kubectl describe node",
                brief=how.removeprefix("is being ").split(" ")[0],
            )
    if meta.get("finalizers") and status.get("phase") in ("Succeeded", "Failed"):
        names = ", ".join(meta["finalizers"])
        return Finding(
            cause="PodTerminating",
            subject=pod_ref(pod),
            message=f"it was deleted at {meta['deletionTimestamp']} and has ended, but its finalizer {names} keeps it",
            hint="start the controller that removes the finalizer, or remove it: kubectl edit pod " + meta["name"],
            brief="cannot be deleted",
        )
    return None
