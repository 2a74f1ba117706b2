"""Restart pods whose ConfigMaps or Secrets changed, by deleting them so that their controllers recreate them.

A container keeps the variables that it started with, and an upgrade replaces pods only if their template changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator

from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import Project
from seatrial.ports import Kube, Object, Warn
from seatrial.readiness.snapshot import controller_of
from seatrial.releases.live_objects import key_of, short_name

__all__ = ["changed_configuration", "pod_uids", "references", "restart_pods"]

_KINDS = ("v1/ConfigMap", "v1/Secret")
_BY_FIELD = {
    "configMap": "v1/ConfigMap",
    "configMapRef": "v1/ConfigMap",
    "configMapKeyRef": "v1/ConfigMap",
    "secret": "v1/Secret",
    "secretRef": "v1/Secret",
    "secretKeyRef": "v1/Secret",
}


def pod_uids(kube: Kube, project: Project) -> set[str]:
    """Return the uids of the pods in the project's namespaces, except for the runner pod."""
    return {pod["metadata"]["uid"] for pod in _pods(kube, project)}


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
    return {f"{kind} {pod['metadata'].get('namespace', '')} {name}" for kind, name in _named(pod["spec"])}


def restart_pods(kube: Kube, project: Project, before: Collection[str], changed: Collection[str], warn: Warn) -> None:
    """Delete the pods that still use an older version of a changed ConfigMap or Secret.

    Args:
        kube: the cluster's API.
        project: the project.
        before: uids of the pods that existed before the change.
        changed: keys of changed objects.
        warn: takes a warning for each deleted pod.

    Raises:
        EnvironmentFailed: such a pod has no controller that would recreate it.
    """
    wanted = {key for key in changed if key.partition(" ")[0] in _KINDS}
    for pod in _pods(kube, project) if wanted else ():
        meta, used = pod["metadata"], sorted(references(pod) & wanted)
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if meta["uid"] not in before or not used or meta.get("deletionTimestamp") or ended:
            continue
        message = f"pod {meta['name']} still uses an older version of {short_name(used[0])}"
        if controller_of(pod) == ("", ""):
            raise EnvironmentFailed(
                message,
                reason="no controller would recreate the pod if it were deleted",
                hint=f"kubectl delete pod {meta['name']} -n {meta['namespace']}, and create it again",
            )
        warn(f"{message}; recreating")
        kube.delete("v1/Pod", meta["name"], meta["namespace"])


def _pods(kube: Kube, project: Project) -> list[Object]:
    spec = project.runner
    return [
        pod
        for namespace in project.used_namespaces
        for pod in kube.objects("v1/Pod", namespace)
        if (pod["metadata"]["name"], namespace) != (spec.pod, spec.namespace)
    ]


def _named(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _BY_FIELD and isinstance(inner, dict):
                # A volume has `secretName`, a projected source and a variable have `name`.
                name = inner.get("secretName") or inner.get("name")
                if name:
                    yield _BY_FIELD[key], str(name)
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
