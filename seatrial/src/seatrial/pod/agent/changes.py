"""List the files that a run changed in the synced folders.

`submit` records the files before the run in `tree.json`. Afterwards only files are read whose inode changed since, by
the clock of the file system; all others count as unchanged. The next `submit` reads all files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from .file_tree import scan
from .state_files import read_json, state, write_json

__all__ = ["MOST_BYTES", "MOST_FILES", "changes", "files_to_copy", "record_files_before"]

MOST_FILES = 1000
MOST_BYTES = 50 << 20
"""Limit in bytes for copies of changed files. The smallest files are copied first."""

_SLACK = 1.0
"""Seconds that the clock of the file system may be behind that of this process."""


def record_files_before(tree: dict[str, Any] | None, files: Mapping[str, Any]) -> None:
    """Record the files in the synced folders before a run. `tree` is None if no folders are synced."""
    begin = None if tree is None else {"root": tree["root"], "paths": tree["paths"], "files": files}
    write_json(state("tree.json"), {"at": time.time() - _SLACK, "tree": begin})


def changes() -> dict[str, Any]:
    """Return `{"created": {…}, "changed": {…}, "deleted": […], "root"}` of the last run; empty if nothing is synced."""
    begin = read_json(state("tree.json"))
    if not begin or not begin["tree"]:
        return {}
    tree, at = begin["tree"], begin["at"]
    before: dict[str, Any] = tree["files"]

    def known(name: str, info: os.stat_result) -> str:
        kind, _, size, content = before.get(name) or ("", 0, 0, "")
        return content if kind == "f" and size == info.st_size and info.st_ctime < at else ""

    after = scan(tree["root"], tree["paths"], lenient=True, known=known)
    changed = {path: entry for path, entry in after.items() if path in before and before[path] != entry}
    return {
        "created": {path: entry for path, entry in after.items() if path not in before},
        # The mode of a directory in the pod depends on the runner, not on the project.
        "changed": {path: entry for path, entry in changed.items() if not before[path][0] == entry[0] == "d"},
        "deleted": sorted(before.keys() - after.keys()),
        "root": tree["root"],
    }


def files_to_copy(found: Mapping[str, Any]) -> list[str]:
    """Return the paths of the changed files that are copied to the host, from the result of `changes`."""
    files = {path: entry[2] for key in ("created", "changed") for path, entry in found[key].items() if entry[0] == "f"}
    chosen: list[str] = []
    left = MOST_BYTES
    for path in sorted(files, key=lambda each: (files[each], each))[:MOST_FILES]:
        left -= files[path]
        if left < 0:
            break
        chosen.append(path)
    return chosen
