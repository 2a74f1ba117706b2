"""Objects that we apply ourselves: manifests before a release and image pull Secrets.

Each set of them is brought to what its files say: changed files are applied, edits by hand are reverted, and objects
that no file contains any more are deleted if we created them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.model.errors import EnvironmentFailed, OutOfTime, UsageError
from seatrial.model.names import LABEL_ENVIRONMENT_ID
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Object
from seatrial.saved_state import Applied, read, write
from seatrial.stages import objects
from seatrial.stages.context import Ctx

__all__ = ["Wanted", "bring", "check", "found_good", "manifests_of", "nothing", "pull_secrets"]

_MANAGER: Final = "seatrial"
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_NEVER_DELETED: Final = ("v1/Node",)
_GONE_SECONDS: Final = 60.0
_LOOK: Final = 0.2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A set of objects, read only if their files changed: parsing takes longer than everything else of a short loop.

    Attributes:
        name: of the set.
        digest: over the files.
        read: returns the objects, without our labels.
    """

    name: str
    digest: str
    read: Callable[[], list[Object]]


def manifests_of(release: ReleaseSpec) -> Wanted:
    """Return the objects in the manifests of a release, in the order of their files.

    Raises:
        UsageError: a file cannot be read.
    """
    files = [file for path in release.manifests for file in _files(path)]
    texts = [(file, _bytes(file)) for file in files]

    def parse() -> list[Object]:
        found: dict[str, Object] = {}
        for file, text in texts:
            for obj in _documents(file, text):
                obj["metadata"].setdefault("namespace", release.namespace)
                found[objects.key_of(obj)] = obj
        return list(found.values())

    return Wanted(f"manifests-{release.name}", _digest(release.namespace, texts), parse)


def pull_secrets(releases: Iterable[ReleaseSpec], root: Path) -> Wanted:
    """Return the image pull Secrets of releases.

    Raises:
        UsageError: a file cannot be read.
    """
    found, texts = [], []
    for release in releases:
        for entry in release.pull_secrets:
            name, _, file = entry.partition("=")
            path = root / file
            text = _bytes(path)
            texts.append((Path(release.namespace, name), text))
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "kubernetes.io/dockerconfigjson",
                    "metadata": {"name": name, "namespace": release.namespace},
                    "data": {".dockerconfigjson": base64.b64encode(text).decode()},
                }
            )
    return Wanted("pull-secrets", _digest("", texts), lambda: found)


def nothing(name: str) -> Wanted:
    """Return the set of that name without any objects: all that it had goes."""
    return Wanted(name, "", list)


def check(releases: Iterable[ReleaseSpec], root: Path) -> None:
    """Read all manifests and pull Secrets before anything is created.

    Raises:
        UsageError: a file cannot be read, or is not what it should be.
    """
    every = tuple(releases)
    for wanted in (*map(manifests_of, every), pull_secrets(every, root)):
        wanted.read()


def bring(ctx: Ctx, wanted: Wanted) -> list[str]:
    """Bring a set of objects to what is wanted and return the keys of those that were created, changed or deleted.

    Raises:
        EnvironmentFailed: the cluster refuses one.
        UsageError: a file is not what it should be.
    """
    path = _record(ctx, wanted.name)
    before = read(path, Applied) or Applied()
    touched = None if before.objects is None else objects.edited(ctx.kube, before.objects)
    if before.digest == wanted.digest and touched == []:
        return []
    every = wanted.read()
    if not every and not before.created:
        write(path, Applied(digest=wanted.digest, objects={}))
        return []
    if touched:
        kind, name, _ = objects.split(touched[0])
        ctx.warn(f"{kind.rpartition('/')[2].lower()}/{name} was modified outside seatrial; reverting")
    keys = [objects.key_of(obj) for obj in every]
    absent = [key for key in keys if not _is_there(ctx, key)]
    dropped = [key for key in before.created if key not in keys]
    # On disk before the fact: what a killed run has created is deleted by the next one.
    created = list(dict.fromkeys([*before.created, *absent]))
    write(path, Applied(created=created))
    # Without a record of how they were, all of them may have been edited.
    suspects = [key for key in keys if key not in absent] if touched is None else touched
    for key, obj in zip(keys, every, strict=True):
        _apply(ctx, obj, edited=key in suspects, created=key in created)
    objects.own(ctx.kube, [key for key in keys if key in suspects], [_MANAGER])
    for key in reversed(dropped):
        _delete(ctx, key)
    write(path, Applied(digest=wanted.digest, created=[key for key in created if key in keys]))
    ctx.facts.applied[wanted.name] = every
    return list(dict.fromkeys([*keys, *dropped, *(touched or ())]))


def found_good(ctx: Ctx) -> None:
    """Remember what objects are like now that all is ready, so that the next command sees what was edited."""
    for name, every in ctx.facts.applied.items():
        path = _record(ctx, name)
        before = read(path, Applied)
        if before is not None and before.digest:
            write(path, replace(before, objects=objects.fingerprints(ctx.kube, every, "")))


def _record(ctx: Ctx, name: str) -> Path:
    return ctx.env.directory / f"applied-{name}.json"


def _is_there(ctx: Ctx, key: str) -> bool:
    try:
        return ctx.kube.get(*objects.split(key)) is not None
    except EnvironmentFailed:
        # A kind that another object of the set defines. If the cluster is in trouble, the apply says so.
        return False


def _apply(ctx: Ctx, obj: Object, *, edited: bool, created: bool) -> None:
    kind, name, namespace = objects.split(objects.key_of(obj))
    labelled = deepcopy(obj)
    labelled["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), **ctx.record.labels}
    if edited:
        if created and kind.startswith("apps/v1/"):
            _recreate(ctx, kind, name, namespace)
        else:
            objects.restore(ctx.kube, labelled, namespace)
    try:
        ctx.kube.apply(labelled)
    except EnvironmentFailed:
        # A Job's template, a binding's role: what cannot be changed is made anew, as in a new cluster.
        if not created or kind in ("v1/PersistentVolumeClaim", "v1/PersistentVolume", "v1/Namespace"):
            raise
        if not _recreate(ctx, kind, name, namespace):
            raise
        ctx.kube.apply(labelled)


def _recreate(ctx: Ctx, kind: str, name: str, namespace: str) -> bool:
    """Delete an object of ours and wait until its name is free; say whether it was there."""
    live = ctx.kube.get(kind, name, namespace)
    if live is None or not _is_ours(ctx, live):
        return False
    ctx.kube.delete(kind, name, namespace)
    deadline = ctx.deadline.child(_GONE_SECONDS)
    while (left := ctx.kube.get(kind, name, namespace)) and left["metadata"].get("uid") == live["metadata"].get("uid"):
        if deadline.passed:
            raise OutOfTime(
                f"{kind.rpartition('/')[2]} {name} is being deleted and stays",
                hint=f"kubectl get {kind.rpartition('/')[2].lower()} {name} -n {namespace} -o yaml says why",
            )
        time.sleep(_LOOK)
    return True


def _delete(ctx: Ctx, key: str) -> None:
    """Delete an object that no manifest contains any more, if it still is the one that we created."""
    kind, name, namespace = objects.split(key)
    if kind in _NEVER_DELETED or (kind == "v1/Namespace" and name in ctx.project.used_namespaces):
        return
    live = ctx.kube.get(kind, name, namespace)
    if live is not None and _is_ours(ctx, live):
        ctx.kube.delete(kind, name, namespace)


def _is_ours(ctx: Ctx, live: Object) -> bool:
    marks = live["metadata"].get("labels") or {}
    wanted = {**ctx.record.owner_labels, LABEL_ENVIRONMENT_ID: ctx.record.id}
    return all(marks.get(label) == value for label, value in wanted.items())


def _files(path: Path) -> Iterable[Path]:
    """Return a manifest, or those in a folder and its subfolders, links followed."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    seen: set[str] = set()
    for folder, folders, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += (Path(folder, file) for file in files if Path(file).suffix in _SUFFIXES)
    return sorted(found)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}", reason=str(error.strerror)) from error


def _digest(namespace: str, texts: Iterable[tuple[Path, bytes]]) -> str:
    digest = hashlib.sha256(f"{namespace}\0".encode())
    for file, text in texts:
        digest.update(os.fsencode(file) + b"\0" + hashlib.sha256(text).digest())
    return digest.hexdigest()


def _documents(file: Path, text: bytes) -> Iterator[Object]:
    import yaml  # noqa: PLC0415

    try:
        documents = list(yaml.safe_load_all(text.decode()))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8", reason=error.reason) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{file} is not YAML", reason=" ".join(str(error).split())) from error
    for document in documents:
        if not isinstance(document, dict):
            continue
        listed = str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)
        for obj in document["items"] if listed else [document]:
            meta = obj.get("metadata") if isinstance(obj, dict) else None
            if not isinstance(meta, dict) or not all((obj.get("apiVersion"), obj.get("kind"), meta.get("name"))):
                raise UsageError(
                    f"{file} has a document that is no Kubernetes object",
                    reason="an object has apiVersion, kind and metadata.name",
                )
            yield obj
