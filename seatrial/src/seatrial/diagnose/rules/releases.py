"""Find Helm releases that an ended Helm command left locked. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["locked_releases"]


def locked_releases(secrets: Iterable[Object]) -> list[Finding]:
    """Return a finding for each release whose newest revision is pending.

    Args:
        secrets: Secrets of namespaces; those without Helm's labels do not count.
    """
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for secret in secrets:
        labels = secret["metadata"].get("labels") or {}
        if labels.get("owner") == "helm":
            key = (secret["metadata"].get("namespace", ""), labels["name"])
            newest[key] = max(newest.get(key, (0, "")), (int(labels.get("version", 0)), labels.get("status", "")))
    return [
        Finding(
            cause="ReleaseLocked",
            subject=ObjectRef(kind="Release", name=name, namespace=namespace),
            message=f"revision {revision} is {status}: a Helm command runs, or ended before it released its lock",
            hint=f"seatrial up rolls it back; without seatrial: helm -n {namespace} rollback {name}, or uninstall it",
            brief="is locked",
        )
        for (namespace, name), (revision, status) in newest.items()
        if status.startswith("pending-")
    ]
