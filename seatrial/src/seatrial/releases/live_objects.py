"""Compare the objects of a release with their last good state, and revert manual changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Kube, Object

__all__ = [
    "changed_keys",
    "delete_workloads",
    "drop_other_managers",
    "fingerprints",
    "key_of",
    "restore_object",
    "short_name",
    "split_key",
]

_MANY: Final = 3
"""Number of objects from which one list request is faster than a request for each."""

_NEVER_REPLACED: Final = ("v1/PersistentVolumeClaim", "v1/PersistentVolume", "v1/Namespace", "v1/Node")
"""Kinds that are never replaced as a whole: controllers write their specification, and other objects depend on them."""

_CONTROLLERS: Final = ("app.kubernetes.io/managed-by", "deployment.kubernetes.io/revision")

_LARGE: Final = ("v1/Secret", "v1/ConfigMap")
"""Kinds that are requested one by one: a list may contain megabytes of other objects, such as Helm's records."""


def fingerprints(kube: Kube, made: Iterable[Object], namespace: str) -> dict[str, str]:
    """Return the key of each object of a release with a digest of its state in the cluster.

    The digest covers the parts that a user can edit. It does not cover what controllers and the API server write. Jobs
    are left out: they may be deleted once they are done.
    """
    keys = [key_of(obj, namespace) for obj in made if obj["kind"] != "Job"]
    return {key: _fingerprint(obj) for key, obj in _live(kube, keys).items()}


def changed_keys(kube: Kube, before: dict[str, str]) -> list[str]:
    """Return the keys of objects that changed or were deleted since `fingerprints` returned `before`."""
    live = _live(kube, before)
    return [key for key, digest in before.items() if _fingerprint(live[key]) != digest]


def restore_object(kube: Kube, wanted: Object, namespace: str) -> bool:
    """Replace a manually changed object with the wanted one, and return whether the API server accepted it.

    An apply reverts only the fields that it sets. It would keep what was added, such as a key of a ConfigMap.
    """
    kind, name, place = split_key(key_of(wanted, namespace))
    live = kube.get(kind, name, place)
    if live is None or kind in _NEVER_REPLACED:
        return False
    meta, has = wanted["metadata"], live["metadata"]
    marks = {
        part: {**(meta.get(part) or {}), **{key: value for key, value in (has.get(part) or {}).items() if _kept(key)}}
        for part in ("labels", "annotations")
    }
    exact = {key: value for key, value in wanted.items() if key != "status"}
    exact["metadata"] = {**meta, **marks, "name": name, "resourceVersion": has.get("resourceVersion")}
    if place:
        exact["metadata"]["namespace"] = place
    if has.get("finalizers"):
        exact["metadata"]["finalizers"] = has["finalizers"]
    try:
        return kube.replace(exact)
    except EnvironmentFailed:
        # The API server sets one of the fields or does not allow its change.
        return False


def drop_other_managers(kube: Kube, keys: Iterable[str], managers: Iterable[str]) -> None:
    """Make these field managers the only ones of objects, so that a field is deleted once they no longer set it.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    names = tuple(managers)
    for key in keys:
        live = kube.get(*split_key(key))
        entries = (live or {}).get("metadata", {}).get("managedFields") or ()
        ours = [each for each in entries if _manages(each, names)]
        left = [each for each in entries if _manages(each, names) or each.get("subresource")]
        if live is not None and ours and len(left) < len(entries):
            live["metadata"]["managedFields"] = left
            with suppress(EnvironmentFailed):
                kube.replace(live)


def _manages(entry: Object, names: tuple[str, ...]) -> bool:
    return entry.get("operation") == "Apply" and entry.get("manager") in names


def _kept(key: str) -> bool:
    """Return whether Helm or a controller wrote a label or annotation."""
    return key.startswith(("meta.helm.sh/", "seatrial.dev/", "pv.kubernetes.io/")) or key in _CONTROLLERS


def delete_workloads(kube: Kube, keys: Iterable[str]) -> None:
    """Delete the workloads among objects, so that Helm recreates them.

    An upgrade alone reverts only fields that the chart sets. For example, it keeps the replicas of `kubectl scale` if
    the chart sets none. Objects with data or secrets are not deleted.
    """
    for key in keys:
        if key.startswith("apps/v1/"):
            kube.delete(*split_key(key))


def _live(kube: Kube, keys: Iterable[str]) -> dict[str, Object | None]:
    """Return the objects in the cluster; None for a missing one. Many of one kind are read by one list request."""
    found: dict[str, Object | None] = {}
    for (kind, namespace), names in _by_kind_and_namespace(keys).items():
        there: dict[str, Object] | None = None
        if len(names) >= _MANY and kind not in _LARGE:
            # A user who may not list a kind may still get single objects.
            with suppress(EnvironmentFailed):
                there = {obj["metadata"]["name"]: obj for obj in kube.objects(kind, namespace)}
        for name in names:
            live = kube.get(kind, name, namespace) if there is None else there.get(name)
            found[f"{kind} {namespace} {name}"] = live
    return found


def _by_kind_and_namespace(keys: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    places: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        kind, name, namespace = split_key(key)
        places.setdefault((kind, namespace), []).append(name)
    return places


def key_of(obj: Object, namespace: str = "") -> str:
    """Return the key of an object: `kind namespace name`. The namespace is the default for objects without one."""
    meta = obj["metadata"]
    return f"{obj['apiVersion']}/{obj['kind']} {meta.get('namespace') or namespace} {meta['name']}"


def split_key(key: str) -> tuple[str, str, str]:
    """Return kind, name and namespace of a key."""
    kind, namespace, name = key.split(" ")
    return kind, name, namespace


def short_name(key: str) -> str:
    """Return the name of an object for messages, from its key: `deployment/web`."""
    kind, name, _ = split_key(key)
    return f"{kind.rpartition('/')[2].lower()}/{name}"


def _fingerprint(obj: Object | None) -> str:
    if obj is None:
        return ""
    meta = obj["metadata"]
    seen = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    # The uid differs after an object was recreated under the same name.
    seen["metadata"] = {key: meta.get(key) for key in ("uid", "labels", "annotations", "finalizers")}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
