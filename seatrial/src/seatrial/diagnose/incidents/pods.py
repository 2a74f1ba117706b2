"""Find pods that were deleted, evicted, failed or found no node. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.diagnose.rules.objects import short
from seatrial.diagnose.rules.scheduling import scheduling_cause
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import EventRecord, PodRecord, WorkloadRecord
from seatrial.model.timeline_index import TimelineIndex

__all__ = ["pod_incidents"]

_SOON: Final = timedelta(seconds=10)
"""A workload deletes pods this soon after a change of its specification."""

_DISRUPTIONS: Final = {
    "EvictionByEvictionAPI": ("Evicted", "was evicted through the API, as kubectl drain does"),
    "DeletionByTaintManager": ("Evicted", "was evicted because its node has a taint"),
    "DeletionByPodGC": ("Evicted", "was deleted because its node does not exist"),
    "PreemptionByScheduler": ("Preempted", "was preempted for a pod with a higher priority"),
    "TerminationByKubelet": ("Evicted", "was ended by the kubelet"),
}
"""Reasons of the condition DisruptionTarget: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"""

_MOUNTS: Final = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")


def pod_incidents(index: TimelineIndex) -> list[Incident]:
    """Return what happened to pods as a whole."""
    pods = index.of(PodRecord)
    workloads, events = index.of(WorkloadRecord), index.of(EventRecord)
    histories: dict[str, list[PodRecord]] = {}
    for pod in pods:
        histories.setdefault(pod.uid, []).append(pod)
    found: list[Incident] = []
    for history in histories.values():
        found += _deleted(history, pods, workloads)
        found += _failed(history, pods)
        found += _unscheduled(history)
        found += _unmounted(history, events)
    return found


def _deleted(
    history: Sequence[PodRecord], pods: Sequence[PodRecord], workloads: Sequence[WorkloadRecord]
) -> Iterator[Incident]:
    first = next((pod for pod in history if pod.deletion is not None or pod.seen == "deleted"), None)
    if first is None or first.seen == "listed":
        return
    last = history[-1]
    if first.phase in ("Succeeded", "Failed"):
        # It had ended before, or `_failed` explains it.
        return
    begin = first.at
    if first.deletion is not None:
        begin = min(begin, first.deletion - timedelta(seconds=first.deletion_grace or 0))
    disruption = next((each for each in last.conditions if each.type == "DisruptionTarget"), None)
    cause, how = _DISRUPTIONS.get(disruption.reason if disruption else "", ("", ""))
    evidence = (disruption.message,) if disruption and disruption.message else ()
    if not cause:
        cause, how, text = _why(last, begin, workloads)
        evidence = (text,) if text else ()
    finding = Finding(
        cause=cause,
        subject=ObjectRef(kind="Pod", name=last.name, namespace=last.namespace),
        message=f"the pod {how}",
        evidence=evidence,
        brief={"ScaledDown": "scaled down", "Rollout": "rolled out"}.get(cause, how.removeprefix("was ").split(",")[0]),
    )
    yield _incident(finding, last, begin, _replaced(last, begin, pods))


def _why(pod: PodRecord, begin: datetime, workloads: Sequence[WorkloadRecord]) -> tuple[str, str, str]:
    """Return cause, words and evidence for a deletion: by a change of its workload, or by another client."""
    for before, after in _changes(pod, begin, workloads):
        name = f"{after.kind.lower()}/{after.name}"
        if after.replicas < before.replicas:
            how = f"was deleted because {name} was scaled from {before.replicas} to {after.replicas}"
            return "ScaledDown", how, f"{name} has {after.replicas} replicas"
        if after.seen == "deleted" or after.deletion is not None:
            return "PodDeleted", f"was deleted together with {name}", ""
        if after.generation != before.generation:
            return "Rollout", f"was replaced because the template of {name} changed", ""
    return "PodDeleted", "was deleted by a client of the API", ""


def _changes(
    pod: PodRecord, begin: datetime, workloads: Sequence[WorkloadRecord]
) -> Iterator[tuple[WorkloadRecord, WorkloadRecord]]:
    """Yield the changes of a pod's workload shortly before its deletion."""
    if pod.controller is None:
        return
    its = [
        each
        for each in workloads
        if (each.kind, each.name, each.namespace) == (pod.controller.kind, pod.controller.name, pod.namespace)
    ]
    for before, after in pairwise(its):
        if begin - _SOON <= after.at <= begin + _SOON and (
            after.replicas != before.replicas
            or after.generation != before.generation
            or after.seen == "deleted"
            or after.deletion is not None
        ):
            yield before, after


def _failed(history: Sequence[PodRecord], pods: Sequence[PodRecord]) -> Iterator[Incident]:
    """Yield pods that the kubelet evicted, or that failed as a whole."""
    first = next((pod for pod in history if pod.phase == "Failed" and pod.reason), None)
    if first is None or first.seen == "listed":
        return
    # Limits of the pod itself: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
    own = "exceeds the" in first.message or "exceeded its" in first.message or "limit" in first.message.lower()
    cause = "StorageLimit" if first.reason == "Evicted" and own else first.reason
    finding = Finding(
        cause=cause,
        subject=ObjectRef(kind="Pod", name=first.name, namespace=first.namespace),
        message=f"the pod was ended by the kubelet: {short(first.message)}",
        evidence=(first.message,),
        brief="exceeded its storage limit" if cause == "StorageLimit" else "",
    )
    yield _incident(finding, first, first.at, _replaced(first, first.at, pods))


def _unscheduled(history: Sequence[PodRecord]) -> Iterator[Incident]:
    since: PodRecord | None = None
    for pod in history:
        waits = next((each for each in pod.conditions if each.type == "PodScheduled" and each.status == "False"), None)
        if waits is not None and since is None and waits.reason == "Unschedulable":
            since = pod
        elif since is not None and (waits is None or pod.seen == "deleted"):
            yield _homeless(since, pod.at)
            since = None
    if since is not None:
        yield _homeless(since, None)


def _homeless(pod: PodRecord, end: datetime | None) -> Incident:
    message = next((each.message for each in pod.conditions if each.type == "PodScheduled"), "")
    finding = Finding(
        cause=scheduling_cause(message),
        subject=ObjectRef(kind="Pod", name=pod.name, namespace=pod.namespace),
        message=f"no node accepts the pod: {short(message)}",
        evidence=(message,),
        brief="found no node",
    )
    return _incident(finding, pod, pod.at, end)


def _unmounted(history: Sequence[PodRecord], events: Sequence[EventRecord]) -> Iterator[Incident]:
    """Yield pods whose volumes or network could not be set up."""
    last = history[-1]
    its = [each for each in events if each.regarding.uid == last.uid and each.reason in _MOUNTS]
    if not its or its[0].seen == "listed":
        return
    ready = next((pod.at for pod in history if pod.at > its[0].at and (pod.ready or pod.seen == "deleted")), None)
    finding = Finding(
        cause=its[0].reason,
        subject=ObjectRef(kind="Pod", name=last.name, namespace=last.namespace),
        message=short(its[-1].message),
        evidence=(its[-1].message,),
    )
    yield _incident(finding, last, its[0].at, ready)


def _replaced(pod: PodRecord, begin: datetime, pods: Sequence[PodRecord]) -> datetime | None:
    """Return when another pod of the same workload was ready; None if none was."""
    for other in pods:
        same = other.namespace == pod.namespace and other.controller == pod.controller
        if pod.controller is not None and same and other.uid != pod.uid and other.ready and other.at >= begin:
            return max(other.at, begin)
    return None


def _incident(finding: Finding, pod: PodRecord, begin: datetime, end: datetime | None) -> Incident:
    controller = pod.controller
    return Incident(
        finding=finding,
        begin=begin,
        end=end,
        namespace=pod.namespace,
        pods=frozenset((pod.uid,)),
        controller=(controller.kind, controller.name) if controller else ("", ""),
    )
