"""Find what is wrong with nodes, containers and Services, and sort causes before their consequences. Pure."""

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
"""Causes, each before those that it leads to."""


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without duplicates: fatal ones first, causes before their consequences."""
    order = {cause: rank for rank, causes in enumerate(_RANKS) for cause in causes}
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: (not finding.fatal, order.get(finding.cause, len(_RANKS)))))


def troubled_nodes(nodes: Iterable[Object]) -> list[Finding]:
    """Return a finding for each unhealthy condition of a node."""
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
                    message=f"condition {entry['type']} is {entry['status']}: {message}",
                    evidence=(message,) if message else (),
                    hint="free resources of the machine, or add some",
                )
            )
    return found


def restarts(pods: Iterable[Object]) -> list[Finding]:
    """Return a finding for each running container that was restarted, with the reason of its last end."""
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
    """Return a finding for each Service with a selector and no ready pod."""
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
            message="it has no ready pod",
            hint="make its pods ready, or correct its selector",
        )
        for service in services
        if service["spec"].get("selector")
        and (service["metadata"]["namespace"], service["metadata"]["name"]) not in ready
    ]
