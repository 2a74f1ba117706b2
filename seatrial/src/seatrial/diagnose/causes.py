"""What is wrong in an environment, the likeliest cause of everything else first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["ranked", "restarts", "troubled_nodes", "unserved"]

_RANKS: Final = (
    ("NodeNotReady", "MemoryPressure", "DiskPressure", "PIDPressure"),
    ("FailedCreate", "Unschedulable", "Evicted"),
    ("InvalidImageName", "ErrImageNeverPull", "ImagePull"),
    ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "CreateContainerConfigError"),
    ("CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun", "PostStartHookError"),
    ("OOMKilled",),
    ("Crash", "BackoffLimitExceeded", "PodFailed"),
    ("ProgressDeadlineExceeded", "NoEndpoints", "NoAnswer", "NotReadyInTime"),
    ("Restarted",),
)
"""Causes in the order in which one brings about the next."""


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without repetition, causes before their consequences."""
    order = {cause: rank for rank, causes in enumerate(_RANKS) for cause in causes}
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: (not finding.fatal, order.get(finding.cause, len(_RANKS)))))


def troubled_nodes(nodes: Iterable[Object]) -> list[Finding]:
    """Return what nodes say is wrong with themselves."""
    found = []
    for node in nodes:
        for entry in (node.get("status") or {}).get("conditions") or ():
            healthy = "True" if entry["type"] == "Ready" else "False"
            if entry["status"] == healthy:
                continue
            cause = "NodeNotReady" if entry["type"] == "Ready" else str(entry["type"])
            message = str(entry.get("message", ""))
            found.append(
                Finding(
                    cause=cause,
                    subject=ObjectRef(kind="Node", name=node["metadata"]["name"]),
                    message=f"the node says {entry['type']}={entry['status']}: {message}",
                    evidence=(message,) if message else (),
                    hint="give the machine more, or run less beside it",
                )
            )
    return found


def restarts(pods: Iterable[Object]) -> list[Finding]:
    """Return containers that run, but not for the first time: with what ended them."""
    found = []
    for pod in pods:
        meta = pod["metadata"]
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            count = int(status.get("restartCount") or 0)
            before = (status.get("lastState") or {}).get("terminated") or {}
            if not count or "running" not in (status.get("state") or {}):
                continue
            reason = str(before.get("reason") or "unknown")
            cause = "OOMKilled" if reason == "OOMKilled" else "Restarted"
            found.append(
                Finding(
                    cause=cause,
                    subject=ObjectRef(
                        kind="Pod", name=meta["name"], namespace=meta["namespace"], container=status["name"]
                    ),
                    message=f"restarted {count} times, last because of {reason}, exit code {before.get('exitCode')}",
                    hint=f"seatrial logs {meta['name']} --previous",
                )
            )
    return found


def unserved(services: Iterable[Object], slices: Iterable[Object]) -> list[Finding]:
    """Return Services with a selector behind which no pod is ready."""
    ready: set[tuple[str, str]] = set()
    for part in slices:
        meta = part["metadata"]
        service = (meta.get("labels") or {}).get("kubernetes.io/service-name", "")
        if any((each.get("conditions") or {}).get("ready") is not False for each in part.get("endpoints") or ()):
            ready.add((meta["namespace"], service))
    return [
        Finding(
            cause="NoEndpoints",
            subject=ObjectRef(
                kind="Service", name=service["metadata"]["name"], namespace=service["metadata"]["namespace"]
            ),
            message="no ready pod stands behind it",
            hint="its pods are not ready, or its selector selects none",
        )
        for service in services
        if service["spec"].get("selector")
        and (service["metadata"]["namespace"], service["metadata"]["name"]) not in ready
    ]
