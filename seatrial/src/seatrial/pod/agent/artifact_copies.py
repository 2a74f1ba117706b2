"""Copy artifacts to the shared volume while tests run, because the file system of a killed container is lost.

Files on a volume are not copied: container `keeper` reads them there.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
import time
from collections.abc import Iterator
from typing import Any

from .state_files import state

__all__ = ["ArtifactCopies", "find_artifacts", "is_on_volume"]

_INTERVAL = 1.0
"""Seconds between two rounds, at least."""
_IDLE_FACTOR = 20
"""The interval is at least this many times the duration of the last round."""
_LIMIT = 100 << 20
"""Bytes of all copies of a run."""


def find_artifacts(directory: str, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield path and archive name of each match of a pattern, relative to a directory."""
    for path in sorted(glob.glob(os.path.join(directory, pattern))):
        yield path, path.lstrip("/") if os.path.isabs(pattern) else os.path.relpath(path, directory)


def is_on_volume(path: str) -> bool:
    """Return whether a file is on a volume of the pod, which outlives the container."""
    return os.lstat(path).st_dev == os.stat(state()).st_dev


class ArtifactCopies:
    """The copies of one run.

    Args:
        request: request of the run.
        directory: directory of the copies.
    """

    def __init__(self, request: dict[str, Any], directory: str) -> None:
        self._request = request
        self._directory = directory
        self._copied: dict[str, tuple[int, int]] = {}
        self._due = time.monotonic() + _INTERVAL

    def renew(self) -> None:
        """Copy new and changed files if the interval has passed; delete copies of deleted files."""
        began = time.monotonic()
        if not self._request.get("artifacts") or began < self._due:
            return
        found = dict(self._find())
        for name in self._copied.keys() - found.keys():
            del self._copied[name]
            os.remove(os.path.join(self._directory, name))
        for name, (path, stamp) in found.items():
            if self._copied.get(name) != stamp and self._used() + stamp[1] <= _LIMIT:
                self._copy(path, name, stamp)
        ended = time.monotonic()
        self._due = ended + max(_INTERVAL, _IDLE_FACTOR * (ended - began))

    def remove(self) -> None:
        """Delete all copies: the originals are collected."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _find(self) -> Iterator[tuple[str, tuple[str, tuple[int, int]]]]:
        """Yield name, path, and modification time and size of each regular file that is not on a volume."""
        for pattern in self._request["artifacts"]:
            for top, name in find_artifacts(self._request["cwd"], pattern):
                if ".." in name.split(os.sep):
                    continue
                for path in _files(top):
                    with contextlib.suppress(OSError):
                        found = os.lstat(path)
                        if stat.S_ISREG(found.st_mode) and not is_on_volume(path):
                            yield name + path[len(top) :], (path, (found.st_mtime_ns, found.st_size))

    def _copy(self, path: str, name: str, stamp: tuple[int, int]) -> None:
        """Copy a file. A file that cannot be read is retried in the next round."""
        target = os.path.join(self._directory, name)
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(path, f"{self._directory}.new")
            os.replace(f"{self._directory}.new", target)
            self._copied[name] = stamp

    def _used(self) -> int:
        return sum(size for _, size in self._copied.values())


def _files(top: str) -> Iterator[str]:
    """Yield a file, or all files below a directory."""
    if os.path.islink(top) or not os.path.isdir(top):
        yield top
        return
    for directory, _, names in os.walk(top):
        for name in names:
            yield os.path.join(directory, name)
