"""Restart pods whose ConfigMaps or Secrets changed, by deleting them so that their controllers recreate them.

A container keeps the variables that it started with, and an upgrade replaces pods only if their template changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from seatrial.chart_checks.references import sources_of
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import Project
from seatrial.ports import Kube, Object, Warn
from seatrial.readiness.snapshot import controller_of
from seatrial.releases.live_objects import key_of, short_name

__all__ = ["ConfigurationChanges", "changed_configuration", "references"]

_KINDS = ("v1/ConfigMap", "v1/Secret")


def changed_configuration(before: Iterable[Object], after: Iterable[Object], namespace: str) -> list[str]:
    """Return the keys of ConfigMaps and Secrets that differ between two revisions of a release. Pure."""
    old, new = (
        {
            key_of(obj, namespace): json.dumps([obj.get(part) for part in ("data", "stringData", "binaryData")])
            for obj in objects
            if f"{obj['apiVersion']}/{obj['kind']}" in _KINDS
        }
        for objects in (before, after)
    )
    return [key for key in {**old, **new} if old.get(key) != new.get(key)]


def references(pod: Object) -> set[str]:
    """Return the keys of the ConfigMaps and Secrets that a pod gets variables or files from. Pure."""
    namespace = pod["metadata"].get("namespace", "")
    return {f"v1/{source.kind} {namespace} {source.name}" for source in sources_of(pod["spec"])}


class ConfigurationChanges:
    """The changes of ConfigMaps and Secrets by one run, and the pods that existed before the first of them.

    Args:
        kube: the cluster's API.
        project: the project.
        is_new: whether the environment is new: then no pod uses an older version.
    """

    def __init__(self, kube: Kube, project: Project, *, is_new: bool) -> None:
        self._kube = kube
        self._project = project
        self._pods: set[str] | None = set() if is_new else None
        self._changed: list[str] = []
        self._reverted: dict[str, list[str]] = {}

    def note_pods(self) -> None:
        """Note the pods that exist; only the first call does. Call it before a change."""
        if self._pods is None:
            self._pods = {pod["metadata"]["uid"] for pod in self._existing_pods()}

    def add(self, keys: Iterable[str]) -> None:
        """Add objects that changed. Other kinds are ignored."""
        self._changed += [key for key in keys if key.partition(" ")[0] in _KINDS]

    def add_reverted(self, release: str, key: str) -> None:
        """Add an object of a release that was replaced to revert a manual change."""
        self._reverted.setdefault(release, []).append(key)

    def reverted(self, release: str) -> list[str]:
        """Return the keys of the replaced objects of a release."""
        return self._reverted.get(release, [])

    def restart_pods(self, warn: Warn) -> None:
        """Delete the pods that still use an older version of a changed ConfigMap or Secret.

        Args:
            warn: takes a warning for each deleted pod.

        Raises:
            EnvironmentFailed: such a pod has no controller that would recreate it.
        """
        for pod in self._existing_pods() if self._pods and self._changed else ():
            meta, used = pod["metadata"], sorted(references(pod).intersection(self._changed))
            ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            if meta["uid"] not in (self._pods or ()) or not used or meta.get("deletionTimestamp") or ended:
                continue
            message = f"pod {meta['name']} still uses an older version of {short_name(used[0])}"
            if controller_of(pod) == ("", ""):
                raise EnvironmentFailed(
                    message,
                    reason="no controller would recreate the pod if it were deleted",
                    hint=f"kubectl delete pod {meta['name']} -n {meta['namespace']}, and create it again",
                )
            warn(f"{message}; recreating")
            self._kube.delete("v1/Pod", meta["name"], meta["namespace"])

    def _existing_pods(self) -> list[Object]:
        """Return the pods in the project's namespaces, except for the runner pod."""
        spec = self._project.runner
        return [
            pod
            for namespace in self._project.used_namespaces
            for pod in self._kube.objects("v1/Pod", namespace)
            if (pod["metadata"]["name"], namespace) != (spec.pod, spec.namespace)
        ]
