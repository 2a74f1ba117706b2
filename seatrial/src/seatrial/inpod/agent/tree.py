"""Files: what there is, and changes to it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Mapping, Sequence
from typing import IO, Any, Callable

__all__ = ["Refused", "apply", "digest", "scan", "seed"]

_SKIPPED = {"__pycache__", ".git"}


class Refused(Exception):
    """A member of an archive that is not a plain path below the tree."""


def scan(
    root: str, paths: list[str], skip: Callable[[str, bool], bool] = lambda _path, _directory: False
) -> dict[str, list[Any]]:
    """Return what is below `paths` (relative to `root`): path -> [kind, executable, size, sha256 or target].

    Kind is `f` or `l`; directories are what their files need. Compiled modules are left out, and what `skip` names: it
    is asked for the path of each entry and whether it is a directory.
    """
    found: dict[str, list[Any]] = {}
    for path in paths:
        absolute = os.path.join(root, path)
        name = os.path.relpath(absolute, root).replace(os.sep, "/")
        if os.path.isdir(absolute) and not os.path.islink(absolute):
            _scan_directory(absolute, "" if name == "." else name + "/", skip, found)
        elif not skip(path, False):
            _scan_file(absolute, name, found)
    return found


def digest(found: Mapping[str, Sequence[Any]]) -> str:
    """Return the SHA-256 over paths, kinds, modes and contents of what `scan` found, in the order of the paths."""
    whole = hashlib.sha256()
    for path in sorted(found):
        kind, executable, _, content = found[path]
        whole.update(f"{path}\0{kind}\0{int(executable)}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _scan_directory(
    directory: str, prefix: str, skip: Callable[[str, bool], bool], found: dict[str, list[Any]]
) -> None:
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            below, name = entry.is_dir(follow_symlinks=False), prefix + entry.name
            if entry.name in _SKIPPED or entry.name.endswith(".pyc") or skip(name, below):
                continue
            if below:
                _scan_directory(entry.path, name + "/", skip, found)
            else:
                _scan_file(entry.path, name, found)


def _scan_file(path: str, name: str, found: dict[str, list[Any]]) -> None:
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            found[name] = ["l", 0, 0, os.readlink(path)]
        elif stat.S_ISREG(info.st_mode):
            with open(path, "rb") as file:
                digest = _sha256(file)
            found[name] = ["f", 1 if info.st_mode & 0o100 else 0, info.st_size, digest]
    except FileNotFoundError:
        return


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 18):
        digest.update(block)
    return digest.hexdigest()


def apply(
    archive: tarfile.TarFile | None,
    places: dict[str, str],
    delete: list[str],
    members: list[tarfile.TarInfo] | None = None,
) -> int:
    """Unpack and delete; return how many files changed.

    Args:
        archive: its members are named `PLACE/path`; files and symbolic links only. None: nothing to unpack.
        places: place -> directory that it stands for.
        delete: `PLACE/path` of what is to go.
        members: take these only.

    Every file is written beside its place and then renamed over it. What Python compiled from the former content goes
    too: its time stamp counts in seconds and its size may be the same, so the old code would run.

    Raises:
        Refused: a member is none of these, or would be outside of its place.
        OSError: as the system says, with the file's name.
    """
    for name in delete:
        # First: a directory may take the place of a file.
        path = _inside(name, places)
        _forget_compiled(path)
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        _remove_empty(os.path.dirname(path), places)
    ready: list[tuple[str, str]] = []
    try:
        for member in members if members is not None else archive or ():
            if member.isdir():
                continue
            assert archive is not None  # for type checkers
            path = _inside(member.name, places)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            temporary = f"{path}.seatrial-{os.getpid()}"
            ready.append((temporary, path))
            _unpack(archive, member, temporary)
    except BaseException:
        for temporary, _ in ready:
            with contextlib.suppress(OSError):
                os.remove(temporary)
        raise
    for temporary, path in ready:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        os.replace(temporary, path)
        _forget_compiled(path)
    return len(ready) + len(delete)


def _inside(name: str, places: dict[str, str]) -> str:
    """Return the path of a member, if it stays where it belongs whatever links there are on the way."""
    place, _, rest = name.partition("/")
    parts = rest.split("/")
    if place not in places or not rest or rest.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"{name!r} is not a path below the tree")
    root = os.path.realpath(places[place])
    parent = os.path.realpath(os.path.join(root, *parts[:-1]))
    if parent != root and not parent.startswith(root + os.sep):
        raise Refused(f"{name!r} leads out of {root}")
    return os.path.join(parent, parts[-1])


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.issym():
        if member.linkname.startswith("/") or _climbs_out(member.name.partition("/")[2], member.linkname):
            raise Refused(f"link {member.name!r} leads out of the tree, to {member.linkname!r}")
        os.symlink(member.linkname, path)
        return
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        raise Refused(f"{member.name!r} is neither a file nor a symbolic link")
    with open(path, "wb") as file:
        shutil.copyfileobj(content, file)
    os.chmod(path, 0o755 if member.mode & 0o100 else 0o644)


def _climbs_out(name: str, target: str) -> bool:
    resolved = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return resolved == ".." or resolved.startswith("../")


def _forget_compiled(path: str) -> None:
    if not path.endswith(".py"):
        return
    directory, name = os.path.split(path)
    stem = name[:-3]
    places = [os.path.join(directory, "__pycache__")]
    if prefix := os.environ.get("PYTHONPYCACHEPREFIX"):
        places.append(os.path.join(prefix, directory.lstrip("/")))
    for place in places:
        try:
            compiled = [each for each in os.listdir(place) if each.startswith(stem + ".")]
        except OSError:
            continue
        for each in compiled:
            os.remove(os.path.join(place, each))


def _remove_empty(directory: str, places: dict[str, str]) -> None:
    """Remove directories that a deletion has emptied: an empty package would still be importable."""
    roots = {os.path.realpath(place) for place in places.values()}
    while directory not in roots:
        with contextlib.suppress(OSError):
            shutil.rmtree(os.path.join(directory, "__pycache__")) if _only_compiled(directory) else None
        try:
            os.rmdir(directory)
        except OSError:
            return
        directory = os.path.dirname(directory)


def _only_compiled(directory: str) -> bool:
    return os.listdir(directory) == ["__pycache__"]


def seed(directory: str, paths: list[str]) -> int:
    """Copy each path (relative to the working directory) to the same place below `directory`, unless it is there.

    For images whose files the pod's user may not write: an init container seeds a volume that is mounted over them.
    """
    for path in paths:
        target = os.path.join(directory, path)
        if os.path.exists(target):
            continue
        if os.path.isdir(path):
            shutil.copytree(path, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif os.path.exists(path):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, target)
        else:
            os.makedirs(target)
            sys.stderr.write(f"{path} is not in the image\n")
    return 0
