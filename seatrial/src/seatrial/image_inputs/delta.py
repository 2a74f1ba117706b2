"""Decide whether a changed working tree needs a new image or can be sent to the pod, and which files to send. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial.image_inputs.image_manifest import Cause, ImageManifest, changes, differences
from seatrial.image_inputs.sync_folders import SyncedFolders
from seatrial.image_inputs.working_tree import Files, Tree, parents, same, shown
from seatrial.model.errors import UsageError
from seatrial.model.loaded_files import is_loaded

__all__ = ["LIMIT", "MOST_KEPT", "BuiltFileChanged", "Delta", "check_size", "image_needs", "matches", "plan"]

LIMIT: Final = 50 << 20
"""Bytes of a delta. Larger changes are data, which belongs in the image."""

MOST_KEPT: Final = 1000
"""Files that tests created and that stay in the pod. If there are more, all are deleted."""

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Delta:
    """Files to send and to delete; both empty: the pod has the working tree already.

    Attributes:
        send: paths to send.
        delete: paths to delete.
        causes: the reasons, for `--explain`.
        kept: paths that only the pod has and keeps: data files of earlier runs, and their directories.
    """

    send: tuple[str, ...]
    delete: tuple[str, ...]
    causes: tuple[Cause, ...]
    kept: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is sent or deleted."""
        return not self.send and not self.delete


class BuiltFileChanged(Exception):
    """A file that the build created was deleted or changed in the pod: only a new pod has it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def image_needs(
    before: ImageManifest,
    now: ImageManifest,
    *,
    places: SyncedFolders,
    rebuild: Sequence[str],
    everything: bool = False,
) -> list[Cause]:
    """Return why an image must be rebuilt; an empty list: all changes can be sent to its pod.

    Args:
        before: inputs of the pod's image.
        now: inputs of a new image.
        places: folders that files can be sent to.
        rebuild: patterns of files whose change always rebuilds the image.
        everything: return all causes, not only the first.
    """
    causes = differences(before, now)
    for path, what in changes(before.files, now.files):
        if causes and not everything:
            break
        pattern = next((each for each in rebuild if matches(path, each)), None)
        if pattern is not None:
            causes.append(Cause(path, what, f"which rebuilds the image (rebuild: {pattern})"))
        elif reason := places.refuses(path, before.files.get(path), now.files.get(path)):
            causes.append(Cause(path, what, f"which rebuilds the image: {reason}"))
    for place in places.paths:
        if place in before.files and place not in now.files and (everything or not causes):
            causes.append(Cause(place, "deleted", "which rebuilds the image"))
    return causes


def plan(*, tree: Tree, pod: Files, created: Collection[str] = ()) -> Delta:
    """Return the files to send and delete so that the pod has the working tree.

    Data files that runs created in the pod stay there, up to `MOST_KEPT` and `LIMIT`. Files that Python or pytest would
    load do not: they would change what the tests are.

    Args:
        tree: the working tree.
        pod: the pod's files below the tree's places.
        created: paths that were never in the tree: runs created them.

    Raises:
        BuiltFileChanged: a file that only the image has was deleted or changed in the pod.
    """
    send: list[str] = []
    delete: list[str] = []
    causes = []
    wanted = tree.wanted
    kept = _kept({path: entry for path, entry in pod.items() if path in created}, wanted)
    for path, what in changes(pod, wanted):
        if path in kept or (what == "changed" and same(pod[path], wanted[path])):
            continue
        if what != "deleted" and path not in tree.files:
            raise BuiltFileChanged(path)
        (delete if what == "deleted" else send).append(path)
        causes.append(Cause(path, what, "deleted in the pod too" if what == "deleted" else "sent"))
    causes += [Cause(path, "only in the pod", "kept") for path in kept if pod[path].kind == "f"]
    return Delta(tuple(send), tuple(delete), tuple(causes), kept)


def _kept(created: Files, wanted: Files) -> tuple[str, ...]:
    """Return which files stay that runs created, with the directories that they are in."""
    files = {
        path: entry
        for path, entry in created.items()
        if entry.kind == "f" and path not in wanted and not is_loaded(path) and not _is_displaced(path, wanted)
    }
    if len(files) > MOST_KEPT or sum(entry.size for entry in files.values()) > LIMIT:
        return ()
    # Also directories that the tree had and has no longer.
    folders = {parent for path in files for parent in parents(path) if parent not in wanted}
    return tuple(sorted({*files, *folders}))


def _is_displaced(path: str, wanted: Files) -> bool:
    """Return whether the tree has a file where the path needs a directory."""
    return any(wanted[parent].kind != "d" for parent in parents(path) if parent in wanted)


def check_size(tree: Files, delta: Delta) -> None:
    """Check the size of a delta.

    Raises:
        UsageError: it is too large; the error names the largest files.
    """
    sizes = sorted(((tree[path].size, path) for path in delta.send), reverse=True)
    total = sum(size for size, _ in sizes)
    if total <= LIMIT:
        return
    largest = ", ".join(f"{shown(path)} ({size / (1 << 20):.1f} MiB)" for size, path in sizes[:_NAMED])
    raise UsageError(
        f"the changed files to send to the runner have {total / (1 << 20):.1f} MiB; the limit is {LIMIT >> 20} MiB",
        reason=f"largest: {largest}",
        hint="add the largest to .dockerignore, or remove their directory from [runner] sync",
    )


def matches(path: str, pattern: str) -> bool:
    """Return whether a glob matches a whole path; `**/` matches any number of directories, `*` no slash."""
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
