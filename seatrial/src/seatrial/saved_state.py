"""Saved state of an environment between commands: files beside the ledger's, each replaced as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from seatrial.image_inputs.manifest import Manifest
from seatrial.image_inputs.working_tree import Entry

__all__ = [
    "Answered",
    "Applied",
    "Built",
    "Installed",
    "PodFiles",
    "Pushed",
    "Runner",
    "read",
    "read_runner",
    "write",
]

T = TypeVar("T")


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """An image as it was pushed: its id on the engine, and the digest of its manifest in the registry."""

    image: str
    digest: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that we applied ourselves: manifests before a release, image pull Secrets.

    Attributes:
        digest: over the objects as they are written; empty: they may not be applied yet.
        created: keys of those that were not there before us, oldest first: what may be deleted again.
        objects: key to a digest of what the object was like once all was ready; None: that was not yet so.
    """

    digest: str = ""
    created: list[str] = []
    objects: dict[str, str] | None = None


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A release as it was found good.

    Attributes:
        digest: over chart, values and single values; empty: its installation began, and it was not found good yet.
        revision: Helm's.
        namespace: that it is in; empty in records of older versions.
        objects: `kind namespace name` to a digest of what the object was like; Jobs are left out: they may vanish.
        targets: kind, namespace and name of its workloads, without Jobs.
    """

    digest: str
    revision: int
    namespace: str = ""
    objects: dict[str, str]
    targets: list[tuple[str, str, str]]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The last time that all services answered well.

    Attributes:
        questions: digest of what they were asked.
        pods: uid to name, restarts and readiness of the pods that there were then.
    """

    questions: str
    pods: dict[str, str]


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was built: its reference, and its id on the engine."""

    reference: str
    image: str


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """The runner pod that stands in the cluster.

    Attributes:
        reference: its image.
        image: its id on the engine; empty: it is not there.
        uid: of the pod.
        places: folders that files may be sent to.
        manifest: what the image was built from.
        values: digest of what its variables got from Secrets and ConfigMaps; empty: unknown.
        broken: its files could not be brought up to date: the next command recreates it.
    """

    reference: str
    image: str
    uid: str
    places: tuple[str, ...]
    manifest: Manifest
    values: str = ""
    broken: bool = False


class PodFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a runner pod below its places.

    Attributes:
        uid: of the pod.
        files: what it had after the last change.
        seeded: what its image has there.
    """

    uid: str
    files: dict[str, Entry]
    seeded: dict[str, Entry]


def read(path: Path, kind: type[T]) -> T | None:
    """Return what a file holds, None if there is none or it is not understood: then all is done anew."""
    try:
        content = path.read_bytes()
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError:
            # A file's name need not be UTF-8: only the standard library takes what it then becomes.
            return msgspec.convert(json.loads(content), type=kind)
    except (OSError, ValueError, msgspec.ValidationError):
        return None


def write(path: Path, value: object) -> None:
    """Replace a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    try:
        content = msgspec.json.encode(value)
    except UnicodeEncodeError:
        content = json.dumps(msgspec.to_builtins(value)).encode()
    fresh.write_bytes(content)
    fresh.replace(path)


def read_runner(directory: Path) -> Runner | None:
    """Return what is remembered of a session's runner."""
    return read(directory / "runner.json", Runner)
