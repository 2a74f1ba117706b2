"""Add the last log lines of a container to a finding, and turn fatal findings into an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seatrial.diagnose.rules.logs import explained_by_log
from seatrial.model.errors import NotReady
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Kube
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.workload import WORKLOADS
from seatrial.runner.decoder import decode_log

__all__ = ["not_ready_error", "with_log_lines"]

_TAIL: Final = 15
"""Log lines that a finding shows."""

_NO_LOGS: Final = frozenset(
    (
        "ImagePull", "ImageNotFound", "ImageUnauthorized", "RegistryUnreachable", "InvalidImageName",
        "ErrImageNeverPull", "CreateContainerConfigError", "RunAsNonRoot", "InsufficientResources", "UntoleratedTaint",
        "NodeSelector", "HostPortTaken", "PodAntiAffinity", "SchedulingGated", "Unschedulable", "ScaledDown",
    )
)  # fmt: skip
"""Causes of containers that never ran."""


_REMOVED: Final = b"unable to retrieve container logs"
"""What the kubelet answers instead of the log of a container that it removed."""


def with_log_lines(kube: Kube, snapshot: Snapshot, finding: Finding) -> Finding:
    """Return a finding with the last log lines of its container, or of the newest pod of its workload.

    Its cause and message become those that the log lines name.
    """
    if finding.cause in _NO_LOGS:
        return finding
    for pod, container in _containers(snapshot, finding.subject):
        for previous in (True, False):
            log = kube.logs(pod, finding.subject.namespace, container, tail=_TAIL, previous=previous)
            if log.strip() and not log.startswith(_REMOVED):
                return explained_by_log(finding, decode_log(log).strip().split("\n"))
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
