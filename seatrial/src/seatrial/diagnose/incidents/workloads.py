"""Find workloads that were scaled to zero, failed, or whose pods the API refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import JobRecord, PodRecord, RefusalRecord, WorkloadRecord
from seatrial.model.timeline_index import TimelineIndex

__all__ = ["workload_incidents"]

_REFUSALS: Final = {
    "quota": "QuotaExceeded", "limit-range": "LimitRange", "policy": "PolicyRefused", "webhook": "WebhookRefused",
}  # fmt: skip
_LINE: Final = 200


def workload_incidents(index: TimelineIndex) -> list[Incident]:
    """Return what happened to workloads and Jobs."""
    histories: dict[str, list[WorkloadRecord]] = {}
    for record in index.of(WorkloadRecord):
        histories.setdefault(record.uid, []).append(record)
    pods = index.of(PodRecord)
    found: list[Incident] = []
    for history in histories.values():
        if history[0].kind != "ReplicaSet":
            found += _scaled_to_zero(history, pods)
            found += _failed(history)
    found += _refused(index.of(RefusalRecord), index.of(WorkloadRecord))
    found += _jobs(index.of(JobRecord))
    return found


def _scaled_to_zero(history: Sequence[WorkloadRecord], pods: Sequence[PodRecord]) -> Iterator[Incident]:
    for before, after in pairwise(history):
        if before.replicas and not after.replicas and after.seen != "deleted":
            back = next((each.at for each in history if each.at > after.at and each.ready), None)
            finding = Finding(
                cause="ScaledDown",
                subject=_ref(after),
                message=f"it was scaled from {before.replicas} to 0",
                brief="scaled to 0",
                hint=f"kubectl scale {after.kind.lower()}/{after.name} --replicas={before.replicas}",
            )
            its = (each.uid for each in pods if _controls(after, each))
            yield _incident(finding, after, after.at, back, frozenset(its))


def _controls(workload: WorkloadRecord, pod: PodRecord) -> bool:
    its = pod.controller
    return its is not None and (its.kind, its.name, pod.namespace) == (
        workload.kind, workload.name, workload.namespace,
    )  # fmt: skip


def _failed(history: Sequence[WorkloadRecord]) -> Iterator[Incident]:
    for record in history:
        entry = next((each for each in record.conditions if each.reason == "ProgressDeadlineExceeded"), None)
        if entry is not None and record.seen != "listed":
            finding = Finding(
                cause=entry.reason, subject=_ref(record), message=entry.message, evidence=(entry.message,)
            )
            ready = next(
                (each.at for each in history if each.at > record.at and each.ready >= each.replicas), None
            )  # fmt: skip
            yield _incident(finding, record, record.at, ready)
            return


def _refused(refusals: Sequence[RefusalRecord], workloads: Sequence[WorkloadRecord]) -> Iterator[Incident]:
    seen = set()
    for refusal in refusals:
        about = refusal.regarding
        workload = _owner(about.kind, about.name, refusal.namespace, workloads)
        kind, name = (workload.kind, workload.name) if workload else (about.kind, about.name)
        if (kind, name, refusal.namespace, refusal.by) in seen:
            continue
        seen.add((kind, name, refusal.namespace, refusal.by))
        cause = _REFUSALS.get(refusal.by, "FailedCreate")
        if cause == "WebhookRefused" and ("timeout" in refusal.message or "failed calling" in refusal.message):
            cause = "WebhookTimeout"
        if cause == "PolicyRefused" and "PodSecurity" in refusal.message:
            cause = "PodSecurity"
        message = (
            refusal.message.split(": ", 1)[-1] if refusal.message.startswith("Error creating") else refusal.message
        )
        finding = Finding(
            cause=cause,
            subject=ObjectRef(kind=kind, name=name, namespace=refusal.namespace),
            message=f"its pods are refused: {message[:_LINE]}",
            evidence=(refusal.message,),
            brief=f"refused by {refusal.by} {refusal.policy}".strip(),
        )
        begin = refusal.first or refusal.at
        end = _allowed(kind, name, refusal.namespace, begin, workloads)
        yield Incident(
            finding=finding, begin=begin, end=end, namespace=refusal.namespace, controller=(kind, name)
        )  # fmt: skip


def _owner(kind: str, name: str, namespace: str, workloads: Sequence[WorkloadRecord]) -> WorkloadRecord | None:
    """Return the workload of an event: the Deployment of a ReplicaSet."""
    own = next((each for each in workloads if (each.kind, each.name, each.namespace) == (kind, name, namespace)), None)
    if own is None or own.controller is None:
        return own
    above = own.controller
    return next(
        (each for each in workloads if (each.kind, each.name, each.namespace) == (above.kind, above.name, namespace)),
        own,
    )


def _allowed(
    kind: str, name: str, namespace: str, begin: datetime, workloads: Sequence[WorkloadRecord]
) -> datetime | None:
    """Return when all pods of a workload were ready after a refusal."""
    its = [each for each in workloads if (each.kind, each.name, each.namespace) == (kind, name, namespace)]
    return next((each.at for each in its if each.at > begin and each.ready >= each.replicas > 0), None)


def _jobs(jobs: Sequence[JobRecord]) -> Iterator[Incident]:
    seen = set()
    for job in jobs:
        entry = next((each for each in job.conditions if each.type == "Failed" and each.status == "True"), None)
        if entry is None or job.uid in seen:
            continue
        seen.add(job.uid)
        if job.seen == "listed":
            continue
        cause = entry.reason if entry.reason in ("BackoffLimitExceeded", "DeadlineExceeded") else "PodFailed"
        finding = Finding(
            cause="HookFailed" if job.hook else cause,
            subject=ObjectRef(kind="Job", name=job.name, namespace=job.namespace),
            message=entry.message or "the Job failed",
            evidence=(entry.message,),
        )
        yield Incident(finding=finding, begin=job.at, namespace=job.namespace, controller=("Job", job.name))


def _ref(record: WorkloadRecord) -> ObjectRef:
    return ObjectRef(kind=record.kind, name=record.name, namespace=record.namespace)


def _incident(
    finding: Finding, record: WorkloadRecord, begin: datetime, end: datetime | None, pods: frozenset[str] = frozenset()
) -> Incident:
    return Incident(
        finding=finding,
        begin=begin,
        end=end,
        namespace=record.namespace,
        controller=(record.kind, record.name),
        pods=pods,
    )
