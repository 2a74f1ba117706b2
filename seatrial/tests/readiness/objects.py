"""Objects as the API says them, in as few words as the rules look at."""

from __future__ import annotations

from typing import Any

from seatrial.ports import Change, Object
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.workload import WORKLOADS


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1, **more}


def waiting(name: str, reason: str, message: str = "", *, restarts: int = 0, before: Any = None) -> dict[str, Any]:
    status = {"name": name, "image": f"{name}:1", "ready": False, "restartCount": restarts}
    status["state"] = {"waiting": {"reason": reason, "message": message}}
    status["lastState"] = {"terminated": before} if before else {}
    return status


def running(name: str, *, ready: bool = True, restarts: int = 0, before: Any = None) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"{name}:1",
        "ready": ready,
        "restartCount": restarts,
        "state": {"running": {}},
        "lastState": {"terminated": before} if before else {},
    }


def ended(name: str, code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"name": name, "image": f"{name}:1", "ready": False, "restartCount": 0, "state": state}


def pod(
    *containers: dict[str, Any],
    name: str = "web-0",
    owner: tuple[str, str] | None = None,
    phase: str = "Running",
    init: tuple[dict[str, Any], ...] = (),
    conditions: tuple[dict[str, Any], ...] | None = None,
    limits: dict[str, str] | None = None,
    **status: Any,
) -> Object:
    ready = bool(containers) and all(each["ready"] for each in containers)
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    given = ({"type": "Ready", "status": str(ready)},) if conditions is None else conditions
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(name, ownerReferences=owners),
        "spec": {"containers": [{"name": each["name"], "resources": {"limits": limits or {}}} for each in containers]},
        "status": {
            "phase": phase,
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
            "conditions": list(given),
            **status,
        },
    }


def workload(kind: str, *, spec: Any = None, name: str = "web", **status: Any) -> Object:
    api = WORKLOADS[kind].rpartition("/")[0]
    seen = {"observedGeneration": 1, **status}
    return {"apiVersion": api, "kind": kind, "metadata": meta(name), "spec": spec or {}, "status": seen}


def event(about: Object, reason: str, message: str = "", at: str = "2026-01-31T15:45:01Z") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "type": "Warning",
        "metadata": meta(f"{reason}-{at}"),
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"uid": about["metadata"]["uid"]},
    }


def snapshot(*objects: Object) -> Snapshot:
    found = Snapshot()
    for obj in objects:
        found.take(f"{obj['apiVersion']}/{obj['kind']}", "shop", Change(type="added", objects=(obj,)))
    return found
