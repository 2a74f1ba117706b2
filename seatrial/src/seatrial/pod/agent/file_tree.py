"""Scan, change and copy files below a directory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Mapping, Sequence
from typing import IO, Any, Callable

__all__ = ["Refused", "apply", "become_owner", "digest", "scan", "seed"]

_COMPILED = "__pycache__"


_SPECIAL_FILES = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


class Refused(Exception):
    """A member of an archive was refused: it is not a plain path below the tree."""


def scan(
    root: str,
    paths: list[str],
    skip: Callable[[str, bool], bool] = lambda _path, _directory: False,
    lenient: bool = False,
    known: Callable[[str, os.stat_result], str] = lambda _path, _info: "",
) -> dict[str, list[Any]]:
    """Return the entries below `paths` (relative to `root`): path -> [kind, mode, size, content].

    Kind is `f` (content: SHA-256), `l` (content: target), `d`, or `o` for other files (content: their type). Mode has
    the permission bits; 0 for links. Directories of compiled modules are omitted.

    Args:
        root: base of all paths.
        paths: files and directories to scan.
        skip: whether to omit an entry, by its path and whether it is a directory.
        lenient: return an unreadable entry as kind `o` instead of raising PermissionError.
        known: returns the content of a file that need not be read, or an empty string.
    """
    found = _Scan(skip, lenient, known)
    for path in paths:
        absolute = os.path.join(root, path)
        name = os.path.relpath(absolute, root).replace(os.sep, "/")
        if os.path.isdir(absolute) and not os.path.islink(absolute):
            if name != ".":
                found.entry(absolute, name)
            found.directory(absolute, "" if name == "." else name + "/")
        elif not skip(path, False):
            found.entry(absolute, name)
    return found.entries


def digest(found: Mapping[str, Sequence[Any]]) -> str:
    """Return the SHA-256 over paths, kinds, modes and contents of the entries, sorted by path.

    Modes of directories do not count: in a pod they depend on the runner.
    """
    whole = hashlib.sha256()
    for path in sorted(found):
        kind, mode, _, content = found[path]
        mode = int(mode) if kind == "f" else 0
        whole.update(f"{path}\0{kind}\0{mode:o}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


class _Scan:
    """One scan; its arguments are those of `scan`."""

    def __init__(
        self, skip: Callable[[str, bool], bool], lenient: bool, known: Callable[[str, os.stat_result], str]
    ) -> None:
        self.entries: dict[str, list[Any]] = {}
        self._skip = skip
        self._lenient = lenient
        self._known = known

    def directory(self, directory: str, prefix: str) -> None:
        """Add what is below a directory."""
        try:
            with os.scandir(directory) as listed:
                entries = sorted(listed, key=lambda each: each.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError:
            if not self._lenient:
                raise
            self.entries[prefix.rstrip("/")] = ["o", 0, 0, "unreadable"]
            return
        for entry in entries:
            below, name = entry.is_dir(follow_symlinks=False), prefix + entry.name
            if (below and entry.name == _COMPILED) or self._skip(name, below):
                continue
            self.entry(entry.path, name)
            if below:
                self.directory(entry.path, name + "/")

    def entry(self, path: str, name: str) -> None:
        """Add one entry."""
        try:
            info = os.lstat(path)
            kind, mode = stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode)
            if kind == stat.S_IFLNK:
                self.entries[name] = ["l", 0, 0, os.readlink(path)]
            elif kind == stat.S_IFREG:
                content = self._known(name, info)
                if not content:
                    with open(path, "rb") as file:
                        content = _sha256(file)
                self.entries[name] = ["f", mode, info.st_size, content]
            elif kind == stat.S_IFDIR:
                self.entries[name] = ["d", mode, 0, ""]
            else:
                self.entries[name] = ["o", mode, 0, _SPECIAL_FILES.get(kind, "device")]
        except FileNotFoundError:
            return
        except PermissionError:
            if not self._lenient:
                raise
            self.entries[name] = ["o", 0, 0, "unreadable"]


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
    """Unpack an archive and delete files; return the number of changed files.

    Args:
        archive: members are named `PLACE/path`: files, directories and symbolic links. None: no files to unpack. Files
            in the place `tree` get the modes of their members, others default modes.
        places: place -> directory.
        delete: `PLACE/path` of files, and of directories that are empty otherwise.
        members: unpack only these members.

    Each file is written to a temporary file and renamed. Compiled modules of changed files are deleted: Python compares
    time stamps in seconds and sizes, so it might run the old code.

    Raises:
        Refused: a member has another type, or a path outside of its place.
        OSError: the system refuses a change; the error names the file.
    """
    # Delete first, and children before parents: a directory may replace a file, and a file a directory.
    for name in sorted(delete, reverse=True):
        _delete(_inside(name, places))
    ready: list[tuple[str, str]] = []
    try:
        for member in members if members is not None else archive or ():
            assert archive is not None  # for type checkers
            if member.isdir() and not member.name.startswith("tree/"):
                continue
            path = _inside(member.name, places)
            if member.isdir():
                _make_directory(path)
                continue
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
        _delete_compiled(path)
    return len(ready) + len(delete)


def _inside(name: str, places: dict[str, str]) -> str:
    """Return the path of a member, if it is inside its place after all symbolic links are resolved."""
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
    mode = member.mode & 0o777 if member.name.startswith("tree/") else 0o755 if member.mode & 0o100 else 0o644
    os.chmod(path, mode)


def _make_directory(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
    os.makedirs(path, exist_ok=True)


def _delete(path: str) -> None:
    """Delete a file, or a directory that contains compiled modules only."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(os.path.join(path, _COMPILED), ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(path)
        return
    _delete_compiled(path)
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _climbs_out(name: str, target: str) -> bool:
    resolved = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return resolved == ".." or resolved.startswith("../")


def _delete_compiled(path: str) -> None:
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


def seed(directory: str, paths: list[str], listing: str = "") -> int:
    """Copy paths, relative to the working directory, to `directory`, unless they exist there. An empty one is filled.

    An init container copies the files of the image to a volume that is mounted over them, because the user of the pod
    may not write to the image. The entries in the image are written to the file `listing`, as `scan` returns them.
    """
    found: dict[str, list[Any]] = {}
    for path in paths:
        found.update(scan(os.getcwd(), [path]) if os.path.exists(path) else {})
        target = os.path.join(directory, path)
        if os.path.exists(target) and not _is_empty(target):
            continue
        try:
            _seed(path, target)
        except (OSError, shutil.Error) as error:
            first = error.args[0][0][2] if isinstance(error, shutil.Error) else error
            sys.stderr.write(f"cannot copy {path} of the image: {first}\n")
            return 1
    if listing:
        with open(listing + ".new", "w", encoding="ascii") as file:
            json.dump({path: entry for path, entry in found.items() if entry[0] != "o"}, file)
        os.replace(file.name, listing)
    return 0


def become_owner(user: int, directories: Sequence[str]) -> None:
    """Give directories to a user, and continue as that user: the engine creates volumes that belong to root."""
    for directory in directories:
        os.chown(directory, user, user)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def _is_empty(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _seed(path: str, target: str) -> None:
    if os.path.isdir(path):
        shutil.copytree(path, target, symlinks=True, ignore=_not_seeded, dirs_exist_ok=True)
    elif os.path.exists(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(path, target)
    else:
        os.makedirs(target, exist_ok=True)
        sys.stderr.write(f"{path} is not in the image\n")


def _not_seeded(directory: str, names: list[str]) -> list[str]:
    """Return the names that are not copied: compiled modules and special files."""
    ignored = []
    for name in names:
        mode = os.lstat(os.path.join(directory, name)).st_mode
        if name == _COMPILED or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            ignored.append(name)
    return ignored
