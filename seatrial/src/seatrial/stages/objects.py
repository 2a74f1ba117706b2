"""Objects that we make ourselves, and whether those of a release are as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Kube, Object

__all__ = [
    "edited",
    "fingerprints",
    "key_of",
    "own",
    "remove_workloads",
    "restore",
    "split",
]

_MANY: Final = 3
"""From so many on, one list is quicker than a question for each."""

_BOUND: Final = ("v1/PersistentVolumeClaim", "v1/PersistentVolume", "v1/Namespace", "v1/Node")
"""Kinds that are never replaced as a whole: others write into their specification, and much depends on them."""

_CONTROLLERS: Final = ("app.kubernetes.io/managed-by", "deployment.kubernetes.io/revision")

_LARGE: Final = ("v1/Secret", "v1/ConfigMap")
"""Asked one by one: others of these in the same place may hold megabytes, as Helm's own records do."""


def fingerprints(kube: Kube, made: Iterable[Object], namespace: str) -> dict[str, str]:
    """Return `kind namespace name` of each object of a release to a digest of it as it lives in the cluster.

    What controllers and the API server write about an object is left out, what a person can edit is not. Jobs are left
    out: they may vanish when they are done.
    """
    keys = [key_of(obj, namespace) for obj in made if obj["kind"] != "Job"]
    return {key: _fingerprint(obj) for key, obj in _live(kube, keys).items()}


def edited(kube: Kube, before: dict[str, str]) -> list[str]:
    """Return the keys of objects that are not as they were when `fingerprints` looked, or not there."""
    live = _live(kube, before)
    return [key for key, digest in before.items() if _fingerprint(live[key]) != digest]


def restore(kube: Kube, wanted: Object, namespace: str) -> bool:
    """Bring an object that was edited by hand to what is wanted, without what was added to it; say whether it is so.

    An apply takes back what it says itself, and leaves whatever else was added: a key of a ConfigMap, say.
    """
    kind, name, place = split(key_of(wanted, namespace))
    live = kube.get(kind, name, place)
    if live is None or kind in _BOUND:
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
        # A field that cannot be changed, or is the server's to fill in.
        return False


def own(kube: Kube, keys: Iterable[str], managers: Iterable[str]) -> None:
    """Leave the fields of objects to these field managers alone, so that what they no longer say goes again.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    names = tuple(managers)
    for key in keys:
        live = kube.get(*split(key))
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
    """Whether a label or annotation of an object is the work of Helm or of a controller."""
    return key.startswith(("meta.helm.sh/", "seatrial.dev/", "pv.kubernetes.io/")) or key in _CONTROLLERS


def remove_workloads(kube: Kube, keys: Iterable[str]) -> None:
    """Delete those of the objects that only run pods: Helm makes them anew.

    An upgrade alone takes back only what the chart itself says: not `kubectl scale` where it says no number. What holds
    data or secrets is left to Helm.
    """
    for key in keys:
        if key.startswith("apps/v1/"):
            kube.delete(*split(key))


def _live(kube: Kube, keys: Iterable[str]) -> dict[str, Object | None]:
    """Return the objects as they are; many of a kind in one place by one question: a chart has them by the dozen."""
    found: dict[str, Object | None] = {}
    for (kind, namespace), names in _by_place(keys).items():
        there: dict[str, Object] | None = None
        if len(names) >= _MANY and kind not in _LARGE:
            # Who may not list them may still get them.
            with suppress(EnvironmentFailed):
                there = {obj["metadata"]["name"]: obj for obj in kube.objects(kind, namespace)}
        for name in names:
            live = kube.get(kind, name, namespace) if there is None else there.get(name)
            found[f"{kind} {namespace} {name}"] = live
    return found


def _by_place(keys: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    places: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        kind, name, namespace = split(key)
        places.setdefault((kind, namespace), []).append(name)
    return places


def key_of(obj: Object, namespace: str = "") -> str:
    """Return `kind namespace name` of an object."""
    meta = obj["metadata"]
    return f"{obj['apiVersion']}/{obj['kind']} {meta.get('namespace') or namespace} {meta['name']}"


def split(key: str) -> tuple[str, str, str]:
    """Return kind, name and namespace of a key."""
    kind, namespace, name = key.split(" ")
    return kind, name, namespace


def _fingerprint(obj: Object | None) -> str:
    if obj is None:
        return ""
    meta = obj["metadata"]
    seen = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    # The uid tells an object from one that was made anew under its name.
    seen["metadata"] = {key: meta.get(key) for key in ("uid", "labels", "annotations", "finalizers")}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
