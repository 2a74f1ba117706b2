"""Judge a pod: whether it is ready, what it waits for, and what is wrong with it.

Reasons are those of the kubelet: https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/images/types.go,
pkg/kubelet/container/sync_result.go and pkg/kubelet/kuberuntime/kuberuntime_container.go of the same version.
"""

from __future__ import annotations

import re
from typing import Any, Final

from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import ContainerState, Object
from seatrial.readiness.judgment import READY, Judgment, Suspicion, waiting

__all__ = ["container_state", "container_statuses", "is_ready", "judge_pod", "pod_ref"]

_NEVER: Final = 0.0
"""Grace of a problem that waiting does not solve."""

_NO_SUCH_IMAGE: Final = re.compile(
    r"not found|manifest unknown|does not exist|access denied|denied: |unauthorized|40[13] (?:Unauthorized|Forbidden)",
    re.IGNORECASE,
)
_PULL_GRACE: Final = 45.0
"""For a registry that restarts, or a name that does not resolve yet."""

_CONFIG_GRACE: Final = 20.0
"""For a Secret that a hook or a later release creates."""

_SCHEDULE_GRACE: Final = 20.0
_NODES_COMING_GRACE: Final = 120.0
_MOUNT_GRACE: Final = 30.0
_CRASH_GRACE: Final = 40.0
"""For a service that crashes until its database is ready."""

_CRASHES: Final = 2
"""Restarts with grace: the first ones may be caused by a database that starts later."""

_LINE: Final = 160
"""Characters of a message that are shown at most."""

_SIGKILL: Final = 137


def pod_ref(pod: Object, container: str = "") -> ObjectRef:
    """Return the reference to a pod, or to one of its containers."""
    meta = pod["metadata"]
    return ObjectRef(kind="Pod", name=meta["name"], namespace=meta.get("namespace", ""), container=container)


def container_statuses(pod: Object) -> list[Object]:
    """Return the statuses of all containers of a pod, init containers first; empty before the kubelet sees the pod."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def container_state(pod: Object | None, container: str) -> ContainerState:
    """Return the state of a container; `gone` if the pod does not exist."""
    for status in (pod or {}).get("status", {}).get("containerStatuses") or ():
        if status["name"] == container:
            state: dict[str, Any] = status.get("state") or {}
            if ended := state.get("terminated"):
                return ContainerState(
                    state="terminated",
                    code=ended.get("exitCode"),
                    reason=ended.get("reason", ""),
                    message=ended.get("message", ""),
                    memory_limit=_memory_limit(pod or {}, container),
                )
            if waits := state.get("waiting"):
                return ContainerState(state="waiting", reason=waits.get("reason", ""), message=waits.get("message", ""))
            return ContainerState(state="running")
    return ContainerState(state="waiting" if pod else "gone")


def is_ready(pod: Object) -> bool:
    """Whether the condition Ready is true: all containers and all conditions of `readinessGates`."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def judge_pod(pod: Object, warnings: list[Object]) -> Judgment:
    """Judge a pod that is to keep running, or a pod of a Job that has not ended.

    Args:
        pod: the pod.
        warnings: its Warning events, the latest last.
    """
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Succeeded":
        return READY
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return _unscheduled(pod, str(scheduled.get("message", "")))
    if phase == "Failed":
        return _failed(pod, status)
    suspicions: list[Suspicion] = []
    reason = ""
    for container in container_statuses(pod):
        text, found = _container(pod, container)
        reason = reason or text
        suspicions += found
    if is_ready(pod) and not suspicions:
        return READY
    if not suspicions and not _mounted(pod, conditions) and (mount := _mount(pod, warnings)):
        suspicions.append(mount)
        reason = mount.finding.message
    return waiting(reason or _unready(status, warnings), *suspicions)


def _unscheduled(pod: Object, message: str) -> Judgment:
    """Judge a pod without a node. In a new cluster nodes are not ready at first: this has a longer grace."""
    coming = "not-ready" in message or "no nodes available" in message or "uninitialized" in message
    finding = Finding(
        cause="Unschedulable",
        subject=pod_ref(pod),
        message=f"no node accepts it: {_short(message)}",
        evidence=(message,),
        hint="decrease its requests, or add resources to the cluster: kubectl describe nodes",
    )
    grace = _NODES_COMING_GRACE if coming else _SCHEDULE_GRACE
    return waiting("a node", Suspicion(finding=finding, grace=grace))


def _failed(pod: Object, status: dict[str, Any]) -> Judgment:
    """Judge a pod that will not run again: evicted, or with ended containers."""
    # A reason of the pod also explains how its containers ended.
    for container in () if status.get("reason") else container_statuses(pod):
        ended = (container.get("state") or {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            return waiting("a pod that does not fail", _ended(pod, container["name"], ended, grace=_NEVER))
    reason = str(status.get("reason") or "PodFailed")
    finding = Finding(
        cause=reason,
        subject=pod_ref(pod),
        message=_short(str(status.get("message") or "the pod failed")),
        evidence=tuple(filter(None, (status.get("message"),))),
    )
    return waiting("a pod that does not fail", Suspicion(finding=finding, grace=_NEVER))


def _container(pod: Object, status: dict[str, Any]) -> tuple[str, list[Suspicion]]:
    """Return what a container waits for, and what is wrong with it."""
    name, state = status["name"], status.get("state") or {}
    before = (status.get("lastState") or {}).get("terminated") or {}
    if waits := state.get("waiting"):
        return _waiting_container(pod, status, waits, before)
    if ended := state.get("terminated"):
        if ended.get("exitCode") == 0 and ended.get("reason") != "OOMKilled":
            return "", []
        return f"{name} to start again", [_ended(pod, name, ended, grace=_CRASH_GRACE)]
    if before.get("reason") == "OOMKilled" and not status.get("ready"):
        return f"{name} to be ready", [_ended(pod, name, before, grace=_CRASH_GRACE)]
    return ("" if status.get("ready") else f"{name} to be ready"), []


def _waiting_container(
    pod: Object, status: dict[str, Any], waits: dict[str, Any], before: dict[str, Any]
) -> tuple[str, list[Suspicion]]:
    name, image = status["name"], status.get("image", "")
    reason, message = str(waits.get("reason", "")), str(waits.get("message", ""))
    ref = pod_ref(pod, name)
    match reason:
        case "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ErrImageNeverPull" | "InvalidImageName":
            return f"image {image}", [_pull(ref, image, reason, message)]
        case "CreateContainerConfigError":
            finding = Finding(
                cause=reason,
                subject=ref,
                message=f"container {name} cannot be configured: {_short(message)}",
                evidence=(message,),
                hint="create the Secret or ConfigMap with that key before the pod",
            )
            return _short(message), [Suspicion(finding=finding, grace=_CONFIG_GRACE)]
        case "CreateContainerError" | "RunContainerError" | "PostStartHookError":
            finding = Finding(
                cause=reason,
                subject=ref,
                message=f"container {name} cannot start: {_short(message)}",
                evidence=(message,),
                hint="compare command, volumes and securityContext with the image",
            )
            return _short(message), [Suspicion(finding=finding, grace=_CONFIG_GRACE)]
        case "CrashLoopBackOff":
            grace = _CRASH_GRACE if int(status.get("restartCount") or 0) <= _CRASHES else _NEVER
            return f"{name} to start again", [_ended(pod, name, before, grace=grace)]
        case "PodInitializing" | "ContainerCreating" | "":
            return f"{name} to be created", []
        case _:
            return f"{name}: {reason}", []


def _pull(ref: ObjectRef, image: str, reason: str, message: str) -> Suspicion:
    """Describe a failed image pull. ErrImagePull and ImagePullBackOff alternate, so both have one cause."""
    finding = Finding(
        cause=reason if reason in ("ErrImageNeverPull", "InvalidImageName") else "ImagePull",
        subject=ref,
        message=f"image {image} cannot be pulled",
        evidence=(message,) if message else (),
        hint="check name and tag; images of this machine's engine are delivered: docker image inspect " + image,
    )
    hopeless = reason in ("ErrImageNeverPull", "InvalidImageName") or _NO_SUCH_IMAGE.search(message)
    return Suspicion(finding=finding, grace=_NEVER if hopeless else _PULL_GRACE)


def _ended(pod: Object, container: str, ended: dict[str, Any], *, grace: float) -> Suspicion:
    """Describe a container that ended but should run."""
    code, reason = ended.get("exitCode"), str(ended.get("reason") or "Error")
    # Under cgroup v1 a child of PID 1 may be killed, and the container ends with any exit code.
    if reason == "OOMKilled":
        limit = _memory_limit(pod, container)
        message = f"container {container} exceeded its memory limit" + (f" of {limit}" if limit else "")
        hint = "increase its memory limit, or reduce its memory use"
    elif reason in ("StartError", "ContainerCannotRun"):
        message = f"container {container} cannot start: {_short(str(ended.get('message', '')))}"
        hint = "compare its command with the image"
        grace = _NEVER
    elif code == _SIGKILL:
        message, hint = f"container {container} was killed (exit code 137)", "check its liveness probe"
    else:
        message, hint = f"container {container} ended with exit code {code}", "read the end of its log"
    finding = Finding(
        cause=reason if reason != "Error" else "Crash",
        subject=pod_ref(pod, container),
        message=message,
        evidence=tuple(filter(None, (str(ended.get("message") or ""),))),
        hint=hint,
    )
    return Suspicion(finding=finding, grace=grace)


def _mounted(pod: Object, conditions: dict[str, Any]) -> bool:
    """Whether volumes are mounted and the network is set up. Nothing takes back an earlier warning about them.

    The kubelet creates the pod's sandbox after mounting its volumes, and the containers after that:
    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-has-network
    """
    if (conditions.get("PodReadyToStartContainers") or {}).get("status") == "True":
        return True
    return any((each.get("state") or {}).keys() & {"running", "terminated"} for each in container_statuses(pod))


def _mount(pod: Object, warnings: list[Object]) -> Suspicion | None:
    """Describe a failed mount. The status of the pod does not show it."""
    for event in reversed(warnings):
        if event.get("reason") in ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"):
            message = str(event.get("message", ""))
            finding = Finding(
                cause=str(event["reason"]),
                subject=pod_ref(pod),
                message=_short(message),
                evidence=(message,),
                hint="create the object that the volume names before the pod",
            )
            return Suspicion(finding=finding, grace=_MOUNT_GRACE)
    return None


def _unready(status: dict[str, Any], warnings: list[Object]) -> str:
    for event in reversed(warnings):
        if event.get("reason") == "Unhealthy":
            return _short(str(event.get("message", "")))
    return "its containers to be created" if not status.get("containerStatuses") else "its readiness probe"


def _memory_limit(pod: Object, container: str) -> str:
    for spec in [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]:
        if spec["name"] == container:
            return str(((spec.get("resources") or {}).get("limits") or {}).get("memory", ""))
    return ""


def _short(message: str) -> str:
    line = message.strip().split("\n", 1)[0]
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
