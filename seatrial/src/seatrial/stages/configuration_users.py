"""Pods that still run with a ConfigMap or Secret as it was: deleted, so that their controllers make new ones.

A container keeps the variables that it started with, and an upgrade replaces pods only if their template changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator

from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Object
from seatrial.readiness.snapshot import controller_of
from seatrial.stages.context import Ctx
from seatrial.stages.objects import key_of

__all__ = ["changed_between", "pods_now", "references", "restart"]

_KINDS = ("v1/ConfigMap", "v1/Secret")
_BY_FIELD = {
    "configMap": "v1/ConfigMap",
    "configMapRef": "v1/ConfigMap",
    "configMapKeyRef": "v1/ConfigMap",
    "secret": "v1/Secret",
    "secretRef": "v1/Secret",
    "secretKeyRef": "v1/Secret",
}


def pods_now(ctx: Ctx) -> set[str]:
    """Return the uids of the pods in the project's namespaces, but for the runner: it looks after itself."""
    return {pod["metadata"]["uid"] for pod in _pods(ctx)}


def changed_between(before: Iterable[Object], after: Iterable[Object], namespace: str) -> list[str]:
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


def restart(ctx: Ctx, pods: Collection[str], changed: Collection[str]) -> bool:
    """Delete those pods of before that use a ConfigMap or Secret that changed since; say if there were any.

    Args:
        ctx: the run.
        pods: uids of the pods before the change.
        changed: keys of objects.

    Raises:
        EnvironmentFailed: such a pod has no controller that would make a new one.
    """
    wanted = {key for key in changed if key.partition(" ")[0] in _KINDS}
    restarted = False
    for pod in _pods(ctx) if wanted else ():
        meta, used = pod["metadata"], sorted(references(pod) & wanted)
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if meta["uid"] not in pods or not used or meta.get("deletionTimestamp") or ended:
            continue
        kind, _, name = used[0].split(" ")
        said = f"pod {meta['name']} runs with {kind.rpartition('/')[2].lower()}/{name} as it was"
        if controller_of(pod) == ("", ""):
            raise EnvironmentFailed(
                said,
                reason="no controller would make it anew if it were deleted",
                hint=f"kubectl delete pod {meta['name']} -n {meta['namespace']}, and make it again",
            )
        ctx.warn(f"{said}; recreating")
        ctx.kube.delete("v1/Pod", meta["name"], meta["namespace"])
        restarted = True
    return restarted


def _pods(ctx: Ctx) -> list[Object]:
    spec = ctx.project.runner
    return [
        pod
        for namespace in ctx.project.used_namespaces
        for pod in ctx.kube.objects("v1/Pod", namespace)
        if (pod["metadata"]["name"], namespace) != (spec.pod, spec.namespace)
    ]


def _named(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _BY_FIELD and isinstance(inner, dict):
                # A volume says secretName, a projected source and a variable say name.
                name = inner.get("secretName") or inner.get("name")
                if name:
                    yield _BY_FIELD[key], str(name)
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
