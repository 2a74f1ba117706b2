"""Add the last log lines of a container to a finding, and turn fatal findings into an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from seatrial.model.errors import NotReady
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Kube
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.workload import WORKLOADS
from seatrial.runner.decoder import decode_log

__all__ = ["not_ready_error", "with_log_lines"]

_TAIL: Final = 15
"""Log lines that a finding shows."""

_NO_LOGS: Final = ("ImagePull", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "Unschedulable")
"""Causes of containers that never ran."""


def with_log_lines(kube: Kube, snapshot: Snapshot, finding: Finding) -> Finding:
    """Return a finding with the last log lines of its container, or of the newest pod of its workload."""
    if finding.cause in _NO_LOGS:
        return finding
    for pod, container in _containers(snapshot, finding.subject):
        for previous in (True, False):
            log = kube.logs(pod, finding.subject.namespace, container, tail=_TAIL, previous=previous)
            if log.strip():
                lines = decode_log(log).strip().split("\n")
                return replace(finding, evidence=(*finding.evidence, *lines))
    return finding


def not_ready_error(findings: Sequence[Finding]) -> NotReady:
    """Return the error for fatal findings: it names the first one and gives its last log line as the reason."""
    first = findings[0]
    return NotReady(f"{first.subject}: {first.message}", findings, reason=first.evidence[-1] if first.evidence else "")


def _containers(snapshot: Snapshot, ref: ObjectRef) -> list[tuple[str, str]]:
    if ref.kind == "Pod":
        return [(ref.name, ref.container)] if ref.container else []
    owner = snapshot.get(WORKLOADS.get(ref.kind, ""), ref.namespace, ref.name)
    pods = snapshot.pods_of(owner) if owner else []
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))[-1:]
    return [(pod["metadata"]["name"], each["name"]) for pod in newest for each in pod["spec"]["containers"]]
