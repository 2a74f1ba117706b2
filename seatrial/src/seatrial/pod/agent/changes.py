"""Which files a run changed in the synced folders, against what was there when it began.

`submit` writes the beginning down in `tree.json`. The end is compared by the clock of the file system: a file whose
inode changed since is read again, all others are taken to be the same. So it costs a walk, not a second reading of all
files. The next `submit` reads them all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from .file_tree import scan
from .state_files import read_json, state, write_json

__all__ = ["MOST_BYTES", "MOST_FILES", "changes", "copied", "note_begin"]

MOST_FILES = 1000
MOST_BYTES = 50 << 20
"""What is sent of changed files, the smallest ones first."""

_SLACK = 1.0
"""Seconds that the clock of a file system may be behind ours."""


def note_begin(tree: dict[str, Any] | None, files: Mapping[str, Any]) -> None:
    """Write down what the synced folders have before a run; None: nothing is synced."""
    begin = None if tree is None else {"root": tree["root"], "paths": tree["paths"], "files": files}
    write_json(state("tree.json"), {"at": time.time() - _SLACK, "tree": begin})


def changes() -> dict[str, Any]:
    """Return `{"created": {…}, "changed": {…}, "deleted": […], "root"}` of the last run, or nothing."""
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
        # Modes of directories are the runner's own.
        "changed": {path: entry for path, entry in changed.items() if not before[path][0] == entry[0] == "d"},
        "deleted": sorted(before.keys() - after.keys()),
        "root": tree["root"],
    }


def copied(found: Mapping[str, Any]) -> list[str]:
    """Return the paths of changed files that are sent, of what `changes` found."""
    files = {path: entry[2] for key in ("created", "changed") for path, entry in found[key].items() if entry[0] == "f"}
    chosen: list[str] = []
    left = MOST_BYTES
    for path in sorted(files, key=lambda each: (files[each], each))[:MOST_FILES]:
        left -= files[path]
        if left < 0:
            break
        chosen.append(path)
    return chosen
