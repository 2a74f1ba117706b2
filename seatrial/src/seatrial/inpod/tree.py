"""The project's files as they are on the host: what the pod has to have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from seatrial.inpod.agent.tree import digest
from seatrial.inpod.agent.tree import scan as scan_directory
from seatrial.inpod.ignore import DockerIgnore, GitIgnore

__all__ = ["Entry", "Rules", "Tree", "digest", "entries", "left_out", "packages", "read_rules", "read_tree"]


class Entry(NamedTuple):
    """A file (`kind` f) or a symbolic link (l). `content` is the SHA-256 of a file, the target of a link."""

    kind: str
    executable: bool
    size: int
    content: str


Files = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Rules:
    """What both ignore files leave out; paths are relative to the project's root."""

    docker: DockerIgnore
    git: GitIgnore
    prefix: str = ""
    """Of the project's root in its repository, with the slash; empty if they are the same."""

    def ignored(self, path: str) -> bool:
        """Return whether the file is left out."""
        return self.docker.ignored(path) or self.git.ignored(self.prefix + path, directory=False)

    def prune(self, path: str, directory: bool) -> bool:
        """Return whether neither the entry nor anything below it can be wanted."""
        return self.git.ignored(self.prefix + path, directory=directory) or self.docker.ignored(
            path, directory=directory
        )


@dataclass(frozen=True, slots=True)
class Tree:
    """The files below some paths of the project.

    Attributes:
        root: the project.
        paths: the paths that were asked for, relative to it.
        files: path -> entry, without what the rules leave out.
    """

    root: Path
    paths: tuple[str, ...]
    files: Files
    rules: Rules

    def view(self, files: Files) -> Files:
        """Return of other files below the same paths those that this tree would have."""
        return {path: entry for path, entry in files.items() if path in self.files or not self.rules.ignored(path)}


def read_tree(root: Path, paths: Iterable[str], rules: Rules | None = None) -> Tree:
    """Read and digest the files below `paths`, relative to `root`."""
    rules = rules or read_rules(root)
    wanted = tuple(str(PurePosixPath(path)) for path in paths)
    return Tree(root, wanted, entries(scan_directory(str(root), list(wanted), rules.prune)), rules)


def left_out(root: Path, paths: Iterable[str], tree: Tree) -> list[str]:
    """Return those of the paths that have files of which none counts: one empty tree equals any other."""
    return [path for path in paths if not _counts(path.rstrip("/"), tree.files) and _has_files(root / path)]


def _counts(path: str, files: Files) -> bool:
    return path in files or any(file.startswith(f"{path}/") for file in files) or (path == "." and bool(files))


def _has_files(place: Path) -> bool:
    found = [place] if place.is_file() else place.rglob("*")
    return any(file.is_file() and file.suffix != ".pyc" for file in found)


def entries(found: Mapping[str, Sequence[Any]]) -> Files:
    """Return what the agent's `scan` found, here or in the pod."""
    return {path: Entry(kind, bool(mode), size, content) for path, (kind, mode, size, content) in found.items()}


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


def read_rules(root: Path) -> Rules:
    """Read the ignore files that count for a project: its own, and those of the repository around it."""
    dockerfile = root / ".dockerignore"
    docker = DockerIgnore(dockerfile.read_text() if dockerfile.is_file() else "")
    repository = next((each for each in (root, *root.parents) if (each / ".git").exists()), None)
    if repository is None:
        return Rules(docker, GitIgnore(_gitignores(root, root)))
    files = _gitignores(repository, root)
    excluded = repository / ".git" / "info" / "exclude"
    if excluded.is_file():
        files[""] = excluded.read_text() + "\n" + files.get("", "")
    prefix = root.relative_to(repository).as_posix()
    git = GitIgnore(files, _tracked(repository))
    if prefix == ".":
        return Rules(docker, git)
    if git.ignored(prefix, directory=True):
        # A project in a folder that the repository around it ignores is no part of that repository. By its rules all
        # files were left out, and no change would ever reach the pod.
        return Rules(docker, GitIgnore(_gitignores(root, root)))
    return Rules(docker, git, prefix + "/")


def _gitignores(repository: Path, root: Path) -> dict[str, str]:
    """Return directory -> text of the `.gitignore` files above and below the project's root."""
    found: dict[str, str] = {}

    def note(directory: Path) -> None:
        path = directory / ".gitignore"
        if path.is_file():
            name = directory.relative_to(repository).as_posix()
            found["" if name == "." else name] = path.read_text(errors="surrogateescape")

    for above in (root, *root.parents):
        note(above)
        if above == repository:
            break
    _walk(root, note)
    return found


def _walk(root: Path, note: Callable[[Path], None]) -> None:
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in (".git", "node_modules", "__pycache__", ".venv", ".tox")]
        if ".gitignore" in files:
            note(Path(directory))


def _tracked(repository: Path) -> list[str]:
    """Return files that git has although its rules leave them out: `git add -f`."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--ignored", "--exclude-standard"],
            cwd=repository,
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [name for name in done.stdout.decode("utf-8", "surrogateescape").split("\0") if name]
