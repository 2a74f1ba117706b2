"""What commands remember of each other: files beside the ledger's, each replaced as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from seatrial.inpod.tree import Entry

__all__ = ["Answered", "Applied", "Installed", "Pushed", "Runner", "read", "read_runner", "write"]

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


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """The runner pod that stands in the cluster.

    Attributes:
        reference: its image.
        files: the build context that the image was made from.
        values: digest of what its variables got from Secrets and ConfigMaps; empty: unknown.
    """

    reference: str
    files: dict[str, Entry]
    values: str = ""


def read(path: Path, kind: type[T]) -> T | None:
    """Return what a file holds, None if there is none or it is not understood: then all is done anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def write(path: Path, value: object) -> None:
    """Replace a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(value))
    fresh.replace(path)


def read_runner(directory: Path) -> Runner | None:
    """Return what is remembered of a session's runner."""
    return read(directory / "runner.json", Runner)
