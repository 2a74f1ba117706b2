"""Judge a pod: whether it is ready, what it waits for, and what is wrong with it.

Reasons are those of the kubelet: https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/images/types.go,
pkg/kubelet/container/sync_result.go and pkg/kubelet/kuberuntime/kuberuntime_container.go of the same version.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from seatrial.diagnose.rules.ends import container_end
from seatrial.diagnose.rules.images import PULL_REASONS, pull_failure
from seatrial.diagnose.rules.nodes import pod_failure
from seatrial.diagnose.rules.objects import container_spec, container_statuses, is_ready, memory_limit, pod_ref, short
from seatrial.diagnose.rules.scheduling import unscheduled
from seatrial.diagnose.rules.starts import START_REASONS, cannot_start
from seatrial.diagnose.rules.unready import gate_closed, init_running, probe_failing
from seatrial.diagnose.rules.volumes import MOUNT_REASONS, mount_failure
from seatrial.ports import ContainerState, Object
from seatrial.readiness.judgment import READY, Judgment, Suspicion, waiting

__all__ = ["container_state", "judge_pod"]

_NEVER: Final = 0.0
"""Grace of a problem that waiting does not solve."""

_UNTIL_TIMEOUT: Final = math.inf
"""Grace of a state that every start passes through: it is a finding only once the time is over."""

_NO_SUCH_IMAGE: Final = frozenset(("ImageNotFound", "ImageUnauthorized", "ErrImageNeverPull", "InvalidImageName"))
_PULL_GRACE: Final = 45.0
"""For a registry that restarts, or a name that does not resolve yet."""

_CONFIG_GRACE: Final = 20.0
"""For a Secret that a hook or a later release creates."""

_SCHEDULE_GRACE: Final = 20.0
_NODES_COMING_GRACE: Final = 120.0
_NODES_COMING: Final = re.compile("not-ready|no nodes available|uninitialized")
_MOUNT_GRACE: Final = 30.0
_CRASH_GRACE: Final = 40.0
"""For a service that crashes until its database is ready."""

_CRASHES: Final = 2
"""Restarts with grace: the first ones may be caused by a database that starts later."""

_NO_START: Final = frozenset(("StartError", "CommandNotFound", "ExecFormatError"))
"""Causes of processes that never start, however often the kubelet tries."""


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
                    memory_limit=memory_limit(pod or {}, container),
                )
            if waits := state.get("waiting"):
                return ContainerState(state="waiting", reason=waits.get("reason", ""), message=waits.get("message", ""))
            return ContainerState(state="running")
    return ContainerState(state="waiting" if pod else "gone")


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
        if status.get("nominatedNodeName"):
            return waiting(f"pods with a lower priority to leave node {status['nominatedNodeName']}")
        # In a new cluster nodes are not ready at first: this has a longer grace.
        coming = _NODES_COMING.search(str(scheduled.get("message", "")))
        grace = _NODES_COMING_GRACE if coming else _SCHEDULE_GRACE
        return waiting("a node", Suspicion(finding=unscheduled(pod, scheduled), grace=grace))
    if phase == "Failed":
        return _failed(pod, status, warnings)
    suspicions: list[Suspicion] = []
    reason = ""
    for container in container_statuses(pod):
        text, found = _container(pod, container, warnings)
        reason = reason or text
        suspicions += found
    if is_ready(pod) and not suspicions:
        return READY
    if not suspicions and not _mounted(pod, conditions) and (mount := _mount(pod, warnings)):
        suspicions.append(mount)
        reason = mount.finding.message
    return waiting(reason or _unready(status, warnings), *(suspicions or _slow(pod, warnings)))


def _failed(pod: Object, status: dict[str, Any], warnings: list[Object]) -> Judgment:
    """Judge a pod that will not run again: evicted, or with ended containers."""
    # A reason of the pod also explains how its containers ended.
    for container in () if status.get("reason") else container_statuses(pod):
        ended = (container.get("state") or {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            return waiting("a pod that does not fail", _ended(pod, container, ended, warnings, grace=_NEVER))
    reason = str(status.get("reason") or "PodFailed")
    finding = pod_failure(pod, reason, str(status.get("message") or ""))
    return waiting("a pod that does not fail", Suspicion(finding=finding, grace=_NEVER))


def _container(pod: Object, status: dict[str, Any], warnings: list[Object]) -> tuple[str, list[Suspicion]]:
    """Return what a container waits for, and what is wrong with it."""
    name, state = status["name"], status.get("state") or {}
    before = (status.get("lastState") or {}).get("terminated") or {}
    if waits := state.get("waiting"):
        return _waiting_container(pod, status, waits, warnings)
    if ended := state.get("terminated"):
        again = (pod.get("spec") or {}).get("restartPolicy") == "Always" and not _is_init(pod, name)
        if ended.get("exitCode") == 0 and ended.get("reason") != "OOMKilled" and not again:
            return "", []
        return f"{name} to start again", [_ended(pod, status, ended, warnings, grace=_CRASH_GRACE)]
    if before and not status.get("ready"):
        again = _ended(pod, status, before, warnings, grace=_CRASH_GRACE)
        if again.finding.cause in ("OOMKilled", "ChildOOMKilled", "LivenessProbe", "StartupProbe"):
            return f"{name} to be ready", [again]
    return ("" if status.get("ready") else f"{name} to be ready"), []


def _waiting_container(
    pod: Object, status: dict[str, Any], waits: dict[str, Any], warnings: list[Object]
) -> tuple[str, list[Suspicion]]:
    name, image = status["name"], status.get("image", "")
    reason, message = str(waits.get("reason", "")), str(waits.get("message", ""))
    if reason in PULL_REASONS:
        finding = pull_failure(pod_ref(pod, name), image, reason, message)
        grace = _NEVER if finding.cause in _NO_SUCH_IMAGE else _PULL_GRACE
        return f"image {image}", [Suspicion(finding=finding, grace=grace)]
    if reason in START_REASONS:
        finding = cannot_start(pod, name, reason, message)
        return short(message), [Suspicion(finding=finding, grace=_CONFIG_GRACE)]
    if reason == "CrashLoopBackOff":
        before = (status.get("lastState") or {}).get("terminated") or {}
        grace = _CRASH_GRACE if int(status.get("restartCount") or 0) <= _CRASHES else _NEVER
        return f"{name} to start again", [_ended(pod, status, before, warnings, grace=grace)]
    if reason in ("PodInitializing", "ContainerCreating", ""):
        return f"{name} to be created", []
    return f"{name}: {reason}", []


def _ended(
    pod: Object, status: dict[str, Any], ended: dict[str, Any], warnings: list[Object], *, grace: float
) -> Suspicion:
    """Describe a container that ended but should run."""
    finding = container_end(pod, status["name"], ended, warnings, init=_is_init(pod, status["name"]))
    return Suspicion(finding=finding, grace=_NEVER if finding.cause in _NO_START else grace)


def _is_init(pod: Object, name: str) -> bool:
    """Whether a container has to end before others start; a sidecar keeps running."""
    init = (pod.get("spec") or {}).get("initContainers") or ()
    return any(each["name"] == name for each in init) and container_spec(pod, name).get("restartPolicy") != "Always"


def _slow(pod: Object, warnings: list[Object]) -> list[Suspicion]:
    """Return what keeps a pod from being ready although nothing has failed for good."""
    found = []
    for status in container_statuses(pod):
        if "running" not in (status.get("state") or {}) or status.get("ready"):
            continue
        finding = init_running(pod, status) if _is_init(pod, status["name"]) else probe_failing(pod, status, warnings)
        found += [finding] if finding else []
    if not found and all(each.get("ready") for each in container_statuses(pod)) and (gate := gate_closed(pod)):
        found = [gate]
    return [Suspicion(finding=finding, grace=_UNTIL_TIMEOUT) for finding in found]


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
        if event.get("reason") in MOUNT_REASONS:
            return Suspicion(finding=mount_failure(pod, event), grace=_MOUNT_GRACE)
    return None


def _unready(status: dict[str, Any], warnings: list[Object]) -> str:
    for event in reversed(warnings):
        if event.get("reason") == "Unhealthy":
            return short(str(event.get("message", "")))
    return "its containers to be created" if not status.get("containerStatuses") else "its readiness probe"
