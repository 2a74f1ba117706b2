"""Sort what a run changed in the pod's synced folders, and copy into the working tree what the configuration names.

What comes from a pod was written by tests, which may be a stranger's. In the working tree it can become code that runs
on this machine. So only files come that a pattern names, and modules and settings only if the pattern means these.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from seatrial.image_inputs.delta import matches
from seatrial.image_inputs.working_tree import Files, Tree, below, entries, shown
from seatrial.model.loaded_files import is_loaded, is_named_by, may_hold_tests
from seatrial.model.result import PodChanges
from seatrial.model.text import safe_line
from seatrial.pod.agent.changes import MOST_BYTES, MOST_FILES
from seatrial.runner.archive import Refusals, put_into_tree
from seatrial.runner.decoder import TreeChanges

__all__ = ["applied", "collect_into_tree", "sort_changes"]

_MOST_NAMED: Final = 1000


def applied(files: Files, changes: TreeChanges | None) -> Files:
    """Return what the pod has after a run.

    Args:
        files: what it had when the run began.
        changes: what the run changed; None: unknown, or nothing.
    """
    if changes is None:
        return files
    gone = set(changes.deleted)
    left = {path: entry for path, entry in files.items() if path not in gone}
    return {**left, **entries(changes.created), **entries(changes.changed)}


def collect_into_tree(
    copies: Path, changes: TreeChanges, tree: Tree, patterns: Iterable[str], notes: list[str]
) -> tuple[str, ...]:
    """Copy changed files that a pattern names into the working tree, and return their paths.

    Args:
        copies: directory with copies of the changed files.
        changes: what the run changed.
        tree: the working tree as it was when the run began.
        patterns: globs, relative to the root of the tree.
        notes: gets why files were left out.
    """
    collected: list[str] = []
    refusals = Refusals(where="into the working tree")
    left = MOST_BYTES
    patterns = tuple(patterns)
    for path in sorted(_files(changes)):
        pattern = next((each for each in patterns if matches(path, each)), "")
        if not pattern or not below(path, tree.places):
            continue
        source = copies / path
        size = _size(source)
        if (is_loaded(path) or may_hold_tests(path)) and not any(
            matches(path, each) and is_named_by(each, path) for each in patterns
        ):
            refusals.add("Python or pytest would load it, and the pattern does not name such files", path)
        elif size is None or len(collected) >= MOST_FILES or size > left:
            refusals.add(f"beyond {MOST_FILES} files or {MOST_BYTES >> 20} MiB", path)
        elif reason := put_into_tree(source, tree.root, path, tree.files.get(path)):
            refusals.add(reason, path)
        else:
            left -= size
            collected.append(path)
    notes += refusals.notes()
    return tuple(collected)


def sort_changes(
    changes: TreeChanges, tree: Tree, collected: Iterable[str], *, stays: bool, copies: Path | None
) -> PodChanges:
    """Return what becomes of each changed file.

    Args:
        changes: what the run changed.
        tree: the working tree as it was when the run began.
        collected: what came into the working tree.
        stays: whether the pod still runs.
        copies: directory with copies of the changed files; None: no file was copied.
    """
    wanted, taken = tree.wanted, set(collected)
    there = {path: kind for path, (kind, *_) in {**changes.created, **changes.changed}.items() if path not in taken}
    extra = {path: kind for path, kind in there.items() if path not in wanted and kind != "d"}
    gone = [path for path in changes.deleted if path in wanted and wanted[path].kind != "d"]
    data = {path for path, kind in extra.items() if kind == "f" and not is_loaded(path)}
    return PodChanges(
        collected=_named(taken),
        created=_named(data),
        changed=_named([*(path for path in there if path in wanted), *gone]),
        discarded=_named(extra.keys() - data),
        stays=stays,
        copies=str(copies) if copies else "",
    )


def _files(changes: TreeChanges) -> Iterator[str]:
    found: Mapping[str, tuple[str, int, int, str]] = {**changes.created, **changes.changed}
    return (path for path, (kind, *_) in found.items() if kind == "f")


def _size(path: Path) -> int | None:
    """Return the size of a copy; None if the pod did not send it."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return None


def _named(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(safe_line(shown(path)) for path in islice(sorted(paths), _MOST_NAMED))
