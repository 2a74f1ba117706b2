"""Record which files of the project runs wrote: until a user edits them, they are not inputs of an image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.image_inputs.working_tree import Entry
from seatrial.saved_state import read, write

__all__ = ["COLLECTED", "WrittenFiles"]

_WRITTEN = "written.json"

COLLECTED = "collected.json"
"""Name of the record of files that came from the pod into the working tree. They are inputs of an image."""


@dataclass(slots=True)
class WrittenFiles:
    """Files below the project, by path relative to it, with the SHA-256 of what runs wrote."""

    root: Path
    digests: dict[str, str] = field(default_factory=dict)
    name: str = _WRITTEN

    @classmethod
    def read(cls, root: Path, name: str = _WRITTEN) -> WrittenFiles:
        """Return a record of a project; empty if the project has no record."""
        return cls(root, read(root / ".seatrial" / name, dict[str, str]) or {}, name)

    def wrote(self, path: Path, entry: Entry) -> bool:
        """Return whether a run wrote the file with its present content."""
        if entry.kind != "f" or not path.is_relative_to(self.root):
            return False
        return self.digests.get(path.relative_to(self.root).as_posix()) == entry.content

    @staticmethod
    def stamps(places: Iterable[Path]) -> Mapping[Path, tuple[int, int]]:
        """Return modification time and inode of all files in some places; rewriting a file changes one of them."""
        found = {}
        for path in _files(places):
            with suppress(OSError):
                info = path.stat()
                found[path] = info.st_mtime_ns, info.st_ino
        return found

    def record(self, before: Mapping[Path, tuple[int, int]], places: Iterable[Path]) -> None:
        """Record the files in some places that changed since `before`, the stamps taken before a run."""
        now = self.stamps(places)
        fresh = {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in now
            if before.get(path) != now[path] and path.is_relative_to(self.root)
        }
        if fresh:
            self.digests.update(fresh)
            write(self.root / ".seatrial" / self.name, self.digests)


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (path for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file())
