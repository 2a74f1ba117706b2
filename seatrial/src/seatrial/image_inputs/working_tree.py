"""The files of a project as they are on the host, and as the pod has to have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seatrial.pod.agent.file_tree import digest, scan

__all__ = ["Entry", "Files", "Tree", "below", "digest", "entries", "packages", "parents", "read_tree", "same", "shown"]


class Entry(NamedTuple):
    """A file (`kind` f), symbolic link (l), directory (d) or other entry (o).

    `mode` has the permission bits, 0 for a link. `content` is the SHA-256 of a file, the target of a link, and what
    another entry is: `fifo`, `socket`, `device`.
    """

    kind: str
    mode: int
    size: int
    content: str


Files = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Tree:
    """What the pod has to have.

    Attributes:
        root: directory on the host that the paths are relative to.
        places: folders that are compared with the pod's and brought up to date.
        files: all files that the pod's image is made from, as they are on the host now.
        built: the same files as they were when the image was built.
        generated: files below the places that the image has and the build context had not.
        modules: those of `files` whose modules tests may import by name.
    """

    root: Path
    places: tuple[str, ...]
    files: Files
    built: Files
    generated: Files
    modules: Files

    @property
    def wanted(self) -> Files:
        """What the pod has to have below the places."""
        return {**self.generated, **{path: entry for path, entry in self.files.items() if below(path, self.places)}}

    def seen(self, pod: Files, extra: Collection[str] = ()) -> Files:
        """Return which of all files the pod has, given what it has below the places: elsewhere it has its image's.

        Args:
            pod: what it has below the places.
            extra: of these, paths that do not count: the tree has nothing there.
        """
        image = {path: entry for path, entry in self.built.items() if not below(path, self.places)}
        kept = {
            path: entry
            for path, entry in pod.items()
            if not (path in self.generated and path not in self.files and same(self.generated[path], entry))
            and not (path in extra and path not in self.files)
        }
        return {**image, **kept}


def read_tree(root: Path, paths: Iterable[str]) -> Tree:
    """Read the files below paths that are sent as they are: of an image that is not built from this project."""
    places = tuple(dict.fromkeys(paths))
    files = entries(scan(str(root), [path for path in places if (root / path).exists()]))
    return Tree(root, places, files, {}, {}, files)


def same(one: Entry, other: Entry) -> bool:
    """Whether two entries are equal. The mode of a directory does not count: in a pod it is the runner's own."""
    return one == other or (one.kind == other.kind == "d")


def entries(found: Mapping[str, Sequence[Any]]) -> Files:
    """Return what the agent's `scan` found, here or in the pod."""
    return {path: Entry(kind, int(mode), size, content) for path, (kind, mode, size, content) in found.items()}


def below(path: str, places: Iterable[str]) -> bool:
    """Return whether a path is one of the places or below one."""
    return any(f"{path}/".startswith(place.rstrip("/") + "/") or place in (".", "") for place in places)


def parents(path: str) -> list[str]:
    """Return the directories that a path is in, the outermost first."""
    names = path.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def shown(path: str) -> str:
    """Return a path as it can be printed: a name need not be UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def packages(files: Files) -> list[str]:
    """Return the names under which modules of these files can be imported: top-level packages and lone modules."""
    names = set()
    for path in files:
        if not path.endswith(".py"):
            continue
        directory, _, name = path.rpartition("/")
        top = name.removesuffix(".py")
        while directory and f"{directory}/__init__.py" in files:
            directory, _, top = directory.rpartition("/")
        if top.isidentifier() and top != "__init__":
            names.add(top)
    return sorted(names)
