"""Turn workloads and Jobs into records of the timeline. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from seatrial.model.timeline import JobRecord, Seen, WorkloadRecord
from seatrial.ports import Object
from seatrial.watching.record_values import conditions_of, controller_of_object, integer, time_of

__all__ = ["job_record", "workload_record"]

_REVISION: Final = "deployment.kubernetes.io/revision"
_NUMBERS: Final = {
    "Deployment": ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"),
    "StatefulSet": ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"),
    "ReplicaSet": ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"),
    "DaemonSet": ("currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"),
}
"""Fields of the status with the number of pods that exist, are updated, are ready and are available."""


def workload_record(obj: Object, seen: Seen, at: datetime) -> WorkloadRecord:
    """Return the record of a Deployment, StatefulSet, DaemonSet or ReplicaSet."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    current, updated, ready, available = (integer(status.get(field)) for field in _NUMBERS[obj["kind"]])
    wanted = status.get("desiredNumberScheduled") if obj["kind"] == "DaemonSet" else spec.get("replicas", 1)
    return WorkloadRecord(
        at=at,
        seen=seen,
        kind=obj["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        controller=controller_of_object(obj),
        labels=meta.get("labels") or {},
        selector=(spec.get("selector") or {}).get("matchLabels") or {},
        generation=integer(meta.get("generation")),
        observed_generation=integer(status.get("observedGeneration")),
        revision=str((meta.get("annotations") or {}).get(_REVISION) or status.get("updateRevision") or ""),
        replicas=integer(wanted),
        current=current,
        updated=updated,
        ready=ready,
        available=available,
        images=_images(spec),
        conditions=conditions_of(status),
        created=time_of(meta.get("creationTimestamp")),
        deletion=time_of(meta.get("deletionTimestamp")),
    )


def job_record(obj: Object, seen: Seen, at: datetime) -> JobRecord:
    """Return the record of a Job."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = conditions_of(status)
    ended = (each.since for each in conditions if each.type in ("Complete", "Failed") and each.status == "True")
    return JobRecord(
        at=at,
        seen=seen,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        controller=controller_of_object(obj),
        labels=meta.get("labels") or {},
        hook=(meta.get("annotations") or {}).get("helm.sh/hook", ""),
        completions=integer(spec.get("completions", 1)),
        active=integer(status.get("active")),
        succeeded=integer(status.get("succeeded")),
        failed=integer(status.get("failed")),
        backoff_limit=integer(spec.get("backoffLimit", 6)),
        active_deadline=spec.get("activeDeadlineSeconds"),
        images=_images(spec),
        conditions=conditions,
        created=time_of(meta.get("creationTimestamp")),
        started=time_of(status.get("startTime")),
        finished=time_of(status.get("completionTime")) or next(ended, None),
        deletion=time_of(meta.get("deletionTimestamp")),
    )


def _images(spec: Object) -> tuple[str, ...]:
    template = (spec.get("template") or {}).get("spec") or {}
    containers = [*(template.get("initContainers") or ()), *(template.get("containers") or ())]
    return tuple(dict.fromkeys(each.get("image", "") for each in containers))
