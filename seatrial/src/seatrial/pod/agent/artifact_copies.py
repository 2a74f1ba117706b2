"""Copy artifacts onto the shared volume while the tests run: the container's own file system dies with its processes.

Files that lie on a volume already are left where they are: container `keeper` reads them there.
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

_EVERY = 1.0
"""Seconds between two rounds."""
_SHARE = 20
"""How many times as long as the last round took the supervisor does other things before the next one."""
_LIMIT = 100 << 20
"""Bytes of all copies of a run."""


def find_artifacts(directory: str, pattern: str) -> Iterator[tuple[str, str]]:
    """Yield path and name in the archive of all that a pattern of the configuration finds from a directory on."""
    for path in sorted(glob.glob(os.path.join(directory, pattern))):
        yield path, path.lstrip("/") if os.path.isabs(pattern) else os.path.relpath(path, directory)


def is_on_volume(path: str) -> bool:
    """Return whether a file is on the file system of the pod's volumes, which outlives the container."""
    return os.lstat(path).st_dev == os.stat(state()).st_dev


class ArtifactCopies:
    """The copies of one run.

    Args:
        request: of the run.
        directory: where they go.
    """

    def __init__(self, request: dict[str, Any], directory: str) -> None:
        self._request = request
        self._directory = directory
        self._copied: dict[str, tuple[int, int]] = {}
        self._due = time.monotonic() + _EVERY

    def renew(self) -> None:
        """Copy what is new or has changed, if it is time; delete copies of files that are gone."""
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
        self._due = ended + max(_EVERY, _SHARE * (ended - began))

    def remove(self) -> None:
        """Remove all copies: the files themselves are there."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _find(self) -> Iterator[tuple[str, tuple[str, tuple[int, int]]]]:
        """Yield name, path, and time and size of each regular file that is not on a volume."""
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
        """Copy a file; one that cannot be read is tried again in the next round."""
        target = os.path.join(self._directory, name)
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(path, f"{self._directory}.new")
            os.replace(f"{self._directory}.new", target)
            self._copied[name] = stamp

    def _used(self) -> int:
        return sum(size for _, size in self._copied.values())


def _files(top: str) -> Iterator[str]:
    """Yield the files at and below a path, which may be either."""
    if os.path.islink(top) or not os.path.isdir(top):
        yield top
        return
    for directory, _, names in os.walk(top):
        for name in names:
            yield os.path.join(directory, name)
