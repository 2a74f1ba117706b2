"""Saved state of an environment between commands: files beside the ledger's, each replaced as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.working_tree import Entry

__all__ = [
    "INSPECTED_IMAGES",
    "Answered",
    "Applied",
    "BuiltImage",
    "Installed",
    "PodFilesRecord",
    "PushedImage",
    "RunnerRecord",
    "read",
    "read_built",
    "read_runner",
    "write",
    "write_built",
    "write_runner",
]

T = TypeVar("T")

_RUNNER: Final = "runner.json"
_BUILT: Final = "built.json"

INSPECTED_IMAGES: Final = "looked.json"
"""In an environment's directory: the images that the last command requested from the engine."""


class PushedImage(msgspec.Struct, frozen=True, kw_only=True):
    """A pushed image: its id on the engine, and the digest of its manifest in the registry."""

    image: str
    digest: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that seatrial applied itself: manifests before a release, image pull Secrets.

    Attributes:
        digest: over the objects as configured; empty: they may not be applied yet.
        created: keys of objects that did not exist before, oldest first; only these may be deleted.
        objects: key to a digest of the object once everything was ready; None: not ready yet.
    """

    digest: str = ""
    created: list[str] = []
    objects: dict[str, str] | None = None


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A release that became ready.

    Attributes:
        digest: over chart, values and single values; empty: its installation began, and it did not become ready yet.
        revision: Helm's revision number.
        namespace: of the release; empty in records of older versions.
        objects: `kind namespace name` to a digest of the object; without Jobs, which may be deleted when done.
        targets: kind, namespace and name of its workloads, without Jobs.
    """

    digest: str
    revision: int
    namespace: str = ""
    objects: dict[str, str]
    targets: list[tuple[str, str, str]]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The last time that all service probes succeeded.

    Attributes:
        questions: digest of the probes.
        pods: uid to name, restarts and readiness of the pods at that time.
    """

    questions: str
    pods: dict[str, str]


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """A built image: its reference, and its id on the engine."""

    reference: str
    image: str


class RunnerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The runner pod in the cluster.

    Attributes:
        reference: its image.
        image: the id of that image on the engine; empty: it is not on the engine.
        uid: of the pod.
        places: folders that files may be sent to.
        manifest: inputs of the image.
        values: digest of the values that its variables take from Secrets and ConfigMaps; empty: unknown.
        broken: its files could not be updated; the next command recreates the pod.
    """

    reference: str
    image: str
    uid: str
    places: tuple[str, ...]
    manifest: ImageManifest
    values: str = ""
    broken: bool = False


class PodFilesRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a runner pod below its places.

    Attributes:
        uid: of the pod.
        files: after the last update.
        seeded: those of its image.
        created: paths that no working tree had: tests created them.
    """

    uid: str
    files: dict[str, Entry]
    seeded: dict[str, Entry]
    created: list[str] = []


def read(path: Path, kind: type[T]) -> T | None:
    """Return the content of a state file; None if it does not exist or cannot be decoded: callers then start over."""
    try:
        content = path.read_bytes()
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError:
            # File names need not be UTF-8; only the standard library decodes their surrogate escapes.
            return msgspec.convert(json.loads(content), type=kind)
    except (OSError, ValueError, msgspec.ValidationError):
        return None


def write(path: Path, value: object) -> None:
    """Replace a state file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    try:
        content = msgspec.json.encode(value)
    except UnicodeEncodeError:
        content = json.dumps(msgspec.to_builtins(value)).encode()
    fresh.write_bytes(content)
    fresh.replace(path)


def read_built(shared: Path) -> dict[str, BuiltImage]:
    """Return the images that were built: image name and digest of its inputs, or of the image, to the image.

    Args:
        shared: directory of state that all environments share.
    """
    return read(shared / _BUILT, dict[str, BuiltImage]) or {}


def write_built(shared: Path, built: dict[str, BuiltImage]) -> None:
    """Replace the images that were built."""
    write(shared / _BUILT, built)


def read_runner(directory: Path) -> RunnerRecord | None:
    """Return the record of an environment's runner pod."""
    return read(directory / _RUNNER, RunnerRecord)


def write_runner(directory: Path, record: RunnerRecord) -> None:
    """Replace the record of an environment's runner pod."""
    write(directory / _RUNNER, record)
