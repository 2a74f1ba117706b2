"""Whether what was installed is ready, still on its way, or will never be. Pure: objects in, a verdict out.

Only states that more waiting cannot mend are doomed; https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

KINDS = ("pods", "deployments", "statefulsets", "daemonsets", "jobs")
# Reasons of a waiting container that end the wait. ErrImagePull too: the first refusal says all, and the registry of a
# run does not come and go.
DOOMED = {
    "ErrImagePull": "image cannot be pulled",
    "ImagePullBackOff": "image cannot be pulled",
    "InvalidImageName": "image name is malformed",
    "ErrImageNeverPull": "image is not on the node, and may not be pulled",
    "CreateContainerConfigError": "container refers to what is not there",
    "CreateContainerError": "container cannot be made",
    "RunContainerError": "container cannot be started",
    "CrashLoopBackOff": "container crashes again and again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """Why it will never be ready; `previous` says that the log to show is of the container's former life."""

    pod: str
    container: str
    image: str
    says: str
    detail: str = ""
    previous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Ready if nothing is waited for and nothing is doomed."""

    waiting: tuple[str, ...] = ()
    doomed: tuple[Doom, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether all is there."""
        return not self.waiting and not self.doomed


def judge(objects: Sequence[Object]) -> Verdict:
    """Judge all objects of a namespace; nothing at all is not ready."""
    waiting: list[str] = []
    doomed: list[Doom] = []
    for item in objects:
        name = f"{item['kind'].lower()}/{item['metadata']['name']}"
        if item["kind"] == "Pod":
            doomed += _doomed_containers(item)
        elif item["kind"] == "Job":
            state = _job(item)
            if state == "failed":
                doomed += [Doom(pod=name, container="", image="", says="job failed", detail=_message(item, "Failed"))]
            elif state != "complete":
                waiting.append(f"{name} is running")
        else:
            have, want = _replicas(item)
            if have < want or not _current(item):
                waiting.append(f"{name} has {have} of {want} ready")
    if not any(item["kind"] != "Pod" for item in objects):
        waiting.append("nothing is there yet")
    return Verdict(waiting=tuple(waiting), doomed=tuple(doomed))


def judge_pod(pod: Object) -> Verdict:
    """Judge one pod that runs to its end: ready once its containers all run or ran."""
    doomed = tuple(_doomed_containers(pod))
    waiting = tuple(
        f"container {status['name']} is {state.get('reason', 'waiting')}"
        for status in container_statuses(pod)
        if (state := status["state"].get("waiting")) is not None
    )
    if not container_statuses(pod):
        waiting = ("the pod is not scheduled yet",)
    return Verdict(waiting=waiting, doomed=doomed)


def container_statuses(pod: Object) -> list[Object]:
    """Return the statuses of a pod's containers, those that initialise it first; none before it is on a node."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _doomed_containers(pod: Object) -> Iterable[Doom]:
    name = f"pod/{pod['metadata']['name']}"
    for status in container_statuses(pod):
        state = status["state"].get("waiting") or {}
        reason = state.get("reason", "")
        if reason in DOOMED:
            ended = status.get("lastState", {}).get("terminated") or {}
            detail = state.get("message", "")
            if ended:
                detail = f"exit code {ended['exitCode']}, {ended.get('reason', '')}"
            yield Doom(
                pod=name,
                container=status["name"],
                image=_image(pod, status["name"]),
                says=f"{DOOMED[reason]} ({reason})",
                detail=detail,
                previous=bool(ended),
            )
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable" and _no_room(condition):
            yield Doom(pod=name, container="", image="", says="no node takes it", detail=condition.get("message", ""))


def _no_room(condition: Object) -> bool:
    # Taints and volumes sort themselves out while a cluster starts; memory and CPU do not appear by waiting.
    return "Insufficient" in condition.get("message", "")


def _image(pod: Object, container: str) -> str:
    spec = pod["spec"]
    every = [*spec.get("initContainers", []), *spec["containers"]]
    return next((found["image"] for found in every if found["name"] == container), "")


def _replicas(item: Object) -> tuple[int, int]:
    status = item.get("status", {})
    if item["kind"] == "DaemonSet":
        # Before its controller has seen it, a DaemonSet wants 0; it is never ready with none.
        return status.get("numberReady", 0), max(1, status.get("desiredNumberScheduled", 0))
    return status.get("readyReplicas", 0), item["spec"].get("replicas", 1)


def _current(item: Object) -> bool:
    """Whether the status speaks of the object as it is now."""
    status = item.get("status", {})
    seen: int = status.get("observedGeneration", 0)
    changed: int = item["metadata"].get("generation", 0)
    updated = status.get("updatedNumberScheduled", status.get("updatedReplicas", 0))
    return seen >= changed and updated >= _replicas(item)[1]


def _job(item: Object) -> str:
    for condition in item.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] in {"Complete", "Failed"}:
            return str(condition["type"]).lower()
    return "running"


def _message(item: Object, kind: str) -> str:
    found = [each for each in item.get("status", {}).get("conditions", []) if each["type"] == kind]
    return str(found[0].get("message", "")) if found else ""
