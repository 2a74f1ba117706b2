"""Turn pods into records of the timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from seatrial.diagnose.rules.objects import is_ready, probe_text
from seatrial.model.timeline import ContainerRecord, PodRecord, Seen
from seatrial.model.timeline_parts import Controller, Termination
from seatrial.ports import Object
from seatrial.readiness.snapshot import controller_of
from seatrial.watching.record_values import conditions_of, integer, time_of

__all__ = ["container_records", "pod_record"]

_LISTS: Final = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)


def pod_record(pod: Object, seen: Seen, at: datetime) -> PodRecord:
    """Return the record of a pod."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    volumes = spec.get("volumes") or ()
    return PodRecord(
        at=at,
        seen=seen,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        controller=_controller(pod),
        labels=meta.get("labels") or {},
        node=spec.get("nodeName") or "",
        phase=status.get("phase", ""),
        ready=is_ready(pod),
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        conditions=conditions_of(status),
        addresses=tuple(each["ip"] for each in status.get("podIPs") or () if "ip" in each),
        created=time_of(meta.get("creationTimestamp")),
        started=time_of(status.get("startTime")),
        deletion=time_of(meta.get("deletionTimestamp")),
        deletion_grace=meta.get("deletionGracePeriodSeconds"),
        quality=status.get("qosClass") or "",
        claims=tuple(each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each),
    )


def container_records(pod: Object, seen: Seen, at: datetime) -> Iterator[ContainerRecord]:
    """Yield the records of the containers of a pod, in the order of the pod."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    controller = _controller(pod)
    for specified, stated in _LISTS:
        statuses = {each["name"]: each for each in status.get(stated) or ()}
        for container in spec.get(specified) or ():
            name = container["name"]
            yield _container(
                container,
                statuses.get(name) or {},
                at=at,
                seen=seen,
                namespace=meta.get("namespace", ""),
                pod=meta["name"],
                uid=meta.get("uid", ""),
                init=specified == "initContainers",
                controller=controller,
                node=spec.get("nodeName") or "",
            )


def _container(container: Object, status: Object, **known: Any) -> ContainerRecord:
    state: Object = status.get("state") or {}
    waiting, running, ended = (state.get(each) or {} for each in ("waiting", "running", "terminated"))
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return ContainerRecord(
        **known,
        container=container["name"],
        sidecar=known["init"] and container.get("restartPolicy") == "Always",
        image=container.get("image", ""),
        image_digest=status.get("imageID") or "",
        container_id=status.get("containerID") or ended.get("containerID") or "",
        state="terminated" if "terminated" in state else "running" if "running" in state else "waiting",
        reason=waiting.get("reason") or ended.get("reason") or "",
        message=waiting.get("message") or ended.get("message") or "",
        exit_code=ended.get("exitCode"),
        signal=ended.get("signal"),
        restarts=integer(status.get("restartCount")),
        ready=bool(status.get("ready")),
        startup_passed=bool(status.get("started")),
        started=time_of(running.get("startedAt") or ended.get("startedAt")),
        finished=time_of(ended.get("finishedAt")),
        last=_termination((status.get("lastState") or {}).get("terminated")),
        memory_limit=str(limits.get("memory", "")),
        memory_request=str(requests.get("memory", "")),
        cpu_limit=str(limits.get("cpu", "")),
        cpu_request=str(requests.get("cpu", "")),
        probes={
            name: probe_text(container[f"{name}Probe"])
            for name in ("liveness", "readiness", "startup")
            if container.get(f"{name}Probe")
        },
        ports=tuple(integer(each.get("containerPort")) for each in container.get("ports") or ()),
    )


def _termination(ended: Object | None) -> Termination | None:
    if not ended:
        return None
    return Termination(
        exit_code=integer(ended.get("exitCode")),
        reason=ended.get("reason") or "",
        message=ended.get("message") or "",
        signal=ended.get("signal"),
        started=time_of(ended.get("startedAt")),
        finished=time_of(ended.get("finishedAt")),
        container_id=ended.get("containerID") or "",
    )


def _controller(pod: Object) -> Controller | None:
    kind, name = controller_of(pod)
    return Controller(kind=kind, name=name) if kind else None
