"""Read the objects that seatrial applies itself from files: manifests of releases and image pull Secrets."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Object
from seatrial.releases.live_objects import key_of

__all__ = ["ObjectSet", "empty_set", "manifests_of", "manifests_set_name", "pull_secrets_of"]

_SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """A set of objects from files. They are parsed only if the files changed, as parsing is slow.

    Attributes:
        name: name of the set.
        digest: digest of the files.
        read: returns the objects, without labels of seatrial.
    """

    name: str
    digest: str
    read: Callable[[], list[Object]]


def manifests_set_name(release: str) -> str:
    """Return the name of the set of a release's manifests."""
    return f"manifests-{release}"


def manifests_of(release: ReleaseSpec) -> ObjectSet:
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
                found[key_of(obj)] = obj
        return list(found.values())

    return ObjectSet(manifests_set_name(release.name), _digest(release.namespace, texts), parse)


def pull_secrets_of(releases: Iterable[ReleaseSpec], root: Path) -> ObjectSet:
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
    return ObjectSet("pull-secrets", _digest("", texts), lambda: found)


def empty_set(name: str) -> ObjectSet:
    """Return a set without objects: applying it deletes the objects that the set had."""
    return ObjectSet(name, "", list)


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
