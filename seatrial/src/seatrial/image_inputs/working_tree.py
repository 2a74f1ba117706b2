"""Read the working tree of a project, and compute the files that the pod must have."""

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
    """The working tree and the files that the pod must have.

    Attributes:
        root: directory on the host that the paths are relative to.
        places: folders that are compared with the pod's and updated.
        files: the inputs of the pod's image, as they are on the host now.
        built: the inputs of the pod's image when it was built.
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
        """The files that the pod must have below the places."""
        return {**self.generated, **{path: entry for path, entry in self.files.items() if below(path, self.places)}}

    def seen(self, pod: Files, extra: Collection[str] = ()) -> Files:
        """Return all files of the pod: those below the places, and elsewhere those of its image.

        Args:
            pod: the pod's files below the places.
            extra: paths of the pod that are not compared, because the tree has no file there.
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
    """Read the files below paths, for an image that is not built from this project."""
    places = tuple(dict.fromkeys(paths))
    files = entries(scan(str(root), [path for path in places if (root / path).exists()]))
    return Tree(root, places, files, {}, {}, files)


def same(one: Entry, other: Entry) -> bool:
    """Whether two entries are equal, except for the mode of a directory: in a pod, that is set by the runner."""
    return one == other or (one.kind == other.kind == "d")


def entries(found: Mapping[str, Sequence[Any]]) -> Files:
    """Convert the result of the agent's `scan` on the host or in the pod."""
    return {path: Entry(kind, int(mode), size, content) for path, (kind, mode, size, content) in found.items()}


def below(path: str, places: Iterable[str]) -> bool:
    """Return whether a path is one of the places or below one."""
    return any(f"{path}/".startswith(place.rstrip("/") + "/") or place in (".", "") for place in places)


def parents(path: str) -> list[str]:
    """Return the directories that a path is in, the outermost first."""
    names = path.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def shown(path: str) -> str:
    """Return a printable path: a name may have bytes that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def packages(files: Files) -> list[str]:
    """Return the names by which modules of these files are imported: top-level packages and single modules."""
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
