"""Objects that we make ourselves, and whether those of a release are as they were."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.model.names import (
    LABEL_EXPIRES,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_SESSION,
    OWNER,
)
from seatrial.model.spec import Project, ReleaseSpec
from seatrial.ports import Kube, Object
from seatrial.stages.context import Ctx

__all__ = [
    "apply_before",
    "apply_pull_secrets",
    "edited",
    "fingerprints",
    "labels",
    "owners",
    "pull_secrets",
    "remove_workloads",
]

_MANY: Final = 3
"""From so many on, one list is quicker than a question for each."""

_LARGE: Final = ("v1/Secret", "v1/ConfigMap")
"""Asked one by one: others of these in the same place may hold megabytes, as Helm's own records do."""


def labels(ctx: Ctx) -> dict[str, str]:
    """Return the labels that say what is ours, whose, and until when."""
    session = ctx.session
    return {
        LABEL_OWNER: OWNER,
        LABEL_PROJECT: session.label,
        LABEL_SESSION: session.session,
        LABEL_EXPIRES: str(int(session.expires.timestamp())),
    }


def owners(ctx: Ctx) -> dict[str, str]:
    """Return the labels that say what is ours, and nothing that changes."""
    return {key: value for key, value in labels(ctx).items() if key in (LABEL_OWNER, LABEL_PROJECT)}


def pull_secrets(project: Project, namespace: str) -> tuple[str, ...]:
    """Return the names of the image pull Secrets that a namespace gets."""
    entries = [entry for release in project.release if release.namespace == namespace for entry in release.pull_secrets]
    return tuple(dict.fromkeys(entry.partition("=")[0] for entry in entries))


def apply_pull_secrets(ctx: Ctx) -> None:
    """Apply the image pull Secrets of all releases.

    Raises:
        UsageError: a file is not there.
    """
    for release in ctx.project.release:
        for entry in release.pull_secrets:
            name, _, file = entry.partition("=")
            try:
                config = base64.b64encode((ctx.project.root / Path(file).expanduser()).read_bytes()).decode()
            except OSError as error:
                raise UsageError(f"pull secret {name}: cannot read {file}", why=str(error.strerror)) from error
            ctx.kube.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "kubernetes.io/dockerconfigjson",
                    "metadata": {"name": name, "namespace": release.namespace, "labels": labels(ctx)},
                    "data": {".dockerconfigjson": config},
                }
            )


def apply_before(ctx: Ctx, release: ReleaseSpec) -> None:
    """Apply the manifests that stand before a release.

    Raises:
        UsageError: a file is not what it should be.
    """
    for path in release.manifests:
        for obj in _documents(path):
            meta = obj.setdefault("metadata", {})
            meta["labels"] = {**(meta.get("labels") or {}), **labels(ctx)}
            meta.setdefault("namespace", release.namespace)
            ctx.kube.apply(obj)


def fingerprints(kube: Kube, made: Iterable[Object], namespace: str) -> dict[str, str]:
    """Return `kind namespace name` of each object of a release to a digest of it as it lives in the cluster.

    What controllers and the API server write about an object is left out, what a person can edit is not. Jobs are left
    out: they may vanish when they are done.
    """
    keys = [
        f"{obj['apiVersion']}/{obj['kind']} {obj['metadata'].get('namespace') or namespace} {obj['metadata']['name']}"
        for obj in made
        if obj["kind"] != "Job"
    ]
    return {key: _fingerprint(obj) for key, obj in _live(kube, keys).items()}


def edited(kube: Kube, before: dict[str, str]) -> list[str]:
    """Return the keys of objects that are not as they were when `fingerprints` looked, or not there."""
    live = _live(kube, before)
    return [key for key, digest in before.items() if _fingerprint(live[key]) != digest]


def remove_workloads(kube: Kube, keys: Iterable[str]) -> None:
    """Delete those of the objects that only run pods: Helm makes them anew.

    An upgrade alone takes back only what the chart itself says: not `kubectl scale` where it says no number. What holds
    data or secrets is left to Helm.
    """
    for key in keys:
        if key.startswith("apps/v1/"):
            kube.delete(*_split(key))


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
        kind, name, namespace = _split(key)
        places.setdefault((kind, namespace), []).append(name)
    return places


def _split(key: str) -> tuple[str, str, str]:
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


def _documents(path: Path) -> list[Object]:
    import yaml  # noqa: PLC0415

    files = (
        sorted(each for each in path.rglob("*") if each.suffix in (".yaml", ".yml", ".json"))
        if path.is_dir()
        else [path]
    )
    found: list[Object] = []
    for file in files:
        try:
            documents = list(yaml.safe_load_all(file.read_text()))
        except yaml.YAMLError as error:
            raise UsageError(f"{file} is not YAML", why=" ".join(str(error).split())) from error
        for document in documents:
            if isinstance(document, dict):
                found += (
                    document.get("items") or [document]
                    if str(document.get("kind", "")).endswith("List")
                    else [document]
                )
    return found
