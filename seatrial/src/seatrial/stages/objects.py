"""Objects that we make ourselves, and whether those of a release are as they were."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.model.names import LABEL_EXPIRES, LABEL_OWNER, LABEL_PROJECT, LABEL_SESSION
from seatrial.model.session import Made
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Kube, Object
from seatrial.stages.context import Ctx

__all__ = ["apply_before", "edited", "fingerprints", "have_namespace", "labels", "remove_workloads"]

_GIVEN: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_OWNER: Final = "seatrial"


def labels(ctx: Ctx) -> dict[str, str]:
    """Return the labels that say what is ours, whose, and until when."""
    session = ctx.session
    return {
        LABEL_OWNER: _OWNER,
        LABEL_PROJECT: ctx.project.root.name,
        LABEL_SESSION: session.session,
        LABEL_EXPIRES: str(int(session.expires.timestamp())),
    }


def have_namespace(ctx: Ctx, name: str) -> None:
    """Make a namespace of ours, unless it is there: somebody else's is used but not claimed."""
    if name in _GIVEN or ctx.kube.get("v1/Namespace", name) is not None:
        return
    if ctx.session.provider == "existing":
        # A cluster of ours goes as a whole; in somebody else's we clean up behind ourselves.
        ctx.undo.push(f"namespace {name}", lambda _: ctx.kube.delete("v1/Namespace", name))
        ctx.remember(Made(kind="namespace", name=name))
    ctx.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels(ctx)}})


def apply_before(ctx: Ctx, release: ReleaseSpec) -> None:
    """Apply what stands before a release: image pull Secrets and manifests.

    Raises:
        UsageError: a file is not what it should be.
    """
    for entry in release.pull_secrets:
        name, _, file = entry.partition("=")
        config = base64.b64encode((ctx.project.root / file).read_bytes()).decode()
        ctx.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"name": name, "namespace": release.namespace, "labels": labels(ctx)},
                "data": {".dockerconfigjson": config},
            }
        )
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
    found = {}
    for obj in made:
        if obj["kind"] == "Job":
            continue
        place = obj["metadata"].get("namespace") or namespace
        key = f"{obj['apiVersion']}/{obj['kind']} {place} {obj['metadata']['name']}"
        found[key] = _fingerprint(kube.get(*_split(key)))
    return found


def edited(kube: Kube, before: dict[str, str]) -> list[str]:
    """Return the keys of objects that are not as they were when `fingerprints` looked, or not there."""
    return [key for key, digest in before.items() if _fingerprint(kube.get(*_split(key))) != digest]


def remove_workloads(kube: Kube, keys: Iterable[str]) -> None:
    """Delete those of the objects that only run pods: Helm makes them anew.

    An upgrade alone takes back only what the chart itself says: not `kubectl scale` where it says no number. What holds
    data or secrets is left to Helm.
    """
    for key in keys:
        if key.startswith("apps/v1/"):
            kube.delete(*_split(key))


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
