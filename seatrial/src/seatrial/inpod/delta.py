"""What has to happen so that the pod runs the working tree: nothing, some files, or a new image. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial.inpod.tree import Files
from seatrial.model.errors import UsageError

__all__ = ["LIMIT", "Cause", "Delta", "Rebuild", "check_size", "plan"]

LIMIT: Final = 50 << 20
"""Bytes that a delta may have. More than that is no edit but data, which belongs into the image."""

_CULPRITS: Final = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """One file and what its change means, for `--explain`."""

    path: str
    what: str
    why: str

    def __str__(self) -> str:
        """As a line for people."""
        return f"{self.path}: {self.what}, {self.why}"


@dataclass(frozen=True, slots=True)
class Delta:
    """Files to send and to delete; both empty: the pod has the working tree already."""

    send: tuple[str, ...]
    delete: tuple[str, ...]
    causes: tuple[Cause, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing has to happen."""
        return not self.send and not self.delete


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Only a new image will do."""

    causes: tuple[Cause, ...]


def plan(
    *, image: Files, context: Files, tree: Files, pod: Files, sync: Sequence[str], rebuild: Sequence[str]
) -> Delta | Rebuild:
    """Return what has to happen.

    Args:
        image: the build context as it was when the pod's image was built.
        context: the build context as it is.
        tree: of it, and of the working tree, what is below the `sync` paths.
        pod: what the pod has below the same paths, without what the ignore files leave out.
        sync: paths that are sent.
        rebuild: patterns of files whose change rebuilds, wherever they are.
    """
    causes = []
    for path, what in _changes(image, context):
        pattern = next((each for each in rebuild if matches(path, each)), None)
        if pattern is not None:
            causes.append(Cause(path, what, f"which rebuilds the image (rebuild: {pattern})"))
        elif not below(path, sync):
            causes.append(Cause(path, what, "which is not below the paths that are sent (sync)"))
    if causes:
        return Rebuild(tuple(causes))
    send: list[str] = []
    delete: list[str] = []
    for path, what in _changes(pod, tree):
        (delete if what == "deleted" else send).append(path)
        causes.append(Cause(path, what, "deleted in the pod too" if what == "deleted" else "sent"))
    return Delta(tuple(send), tuple(delete), tuple(causes))


def check_size(tree: Files, delta: Delta) -> None:
    """Refuse a delta that is too large.

    Raises:
        UsageError: naming the largest files.
    """
    sizes = sorted(((tree[path].size, path) for path in delta.send), reverse=True)
    total = sum(size for size, _ in sizes)
    if total <= LIMIT:
        return
    culprits = ", ".join(f"{path} ({size / (1 << 20):.1f} MB)" for size, path in sizes[:_CULPRITS])
    raise UsageError(
        f"the changes to send are {total / (1 << 20):.0f} MB; at most {LIMIT >> 20} MB are sent",
        why=f"largest: {culprits}",
        try_="name them in .dockerignore or .gitignore, or take their directory out of [runner] sync",
    )


def below(path: str, places: Iterable[str]) -> bool:
    """Return whether a path is one of the places or below one."""
    return any(f"{path}/".startswith(place.rstrip("/") + "/") or place in (".", "") for place in places)


def matches(path: str, pattern: str) -> bool:
    """Return whether a glob matches a path from its start; `**/` is any directories, also none, `*` stays in one."""
    regex = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern.removeprefix("./")):
        if part == "**/":
            regex += "(?:.*/)?"
        elif part == "**":
            regex += ".*"
        elif part == "*":
            regex += "[^/]*"
        elif part == "?":
            regex += "[^/]"
        elif part.startswith("["):
            regex += fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z")
        else:
            regex += re.escape(part)
    return re.fullmatch(regex, path) is not None


def _changes(before: Files, after: Files) -> list[tuple[str, str]]:
    """Return (path, new | changed | deleted) of what differs, sorted."""
    changes = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            changes.append((path, "deleted"))
        elif path not in before:
            changes.append((path, "new"))
        elif before[path] != after[path]:
            changes.append((path, "changed"))
    return changes
