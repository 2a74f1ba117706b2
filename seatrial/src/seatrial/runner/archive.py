"""Unpack the archive of collected files from the pod, and copy files from it to the host. Its bytes are hostile.

Nothing here follows a symbolic link. Directories are opened one below the other by descriptor, and files are created,
never opened for writing. So neither a member of the archive nor a link that another process creates meanwhile leads out
of the directory. Only regular files and directories are unpacked; links, devices and sparse files are named in a note.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from seatrial.image_inputs.working_tree import Entry
from seatrial.model.loaded_files import is_loaded, may_hold_tests
from seatrial.model.text import safe_line
from seatrial.runner.decoder import LONGEST_NOTE, MOST_NOTES, Malformed, decode_notes

__all__ = ["Limits", "Refusals", "deliver", "put_into_tree", "read_tree_below", "unpack"]

_NOTES: Final = "notes.json"
_NAMED: Final = 5
"""Number of members that a note names; the others are counted."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for an archive.

    Attributes:
        bytes: size of all files together.
        files: number of members.
        depth: number of parts of a path.
        name: bytes of one part of a path; a path may have 16 times as many.
        header: bytes of the metadata of one member.
    """

    bytes: int = 1 << 30
    files: int = 100_000
    depth: int = 32
    name: int = 255
    header: int = 1 << 16


class _Refused(Exception):
    """A member is not unpacked; the text is the reason in a note."""


@dataclass(slots=True)
class Refusals:
    """Files that were not copied, by reason.

    Attributes:
        by_reason: reason -> names.
        where: source or target of the copy, for the notes.
    """

    where: str = "from the pod"
    by_reason: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Record a file that is not copied."""
        self.by_reason.setdefault(reason, []).append(safe_line(name)[:LONGEST_NOTE])

    def notes(self) -> list[str]:
        """Return a line for each reason."""
        return [
            f"not copied {self.where}: {', '.join(names[:_NAMED])}"
            + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            + f" ({reason})"
            for reason, names in self.by_reason.items()
        ]


def unpack(archive: Path, target: Path, places: Sequence[str], *, limits: Limits = Limits()) -> list[str]:
    """Unpack the regular files of an archive below a new directory; return notes about the other members.

    Args:
        archive: members are named `PLACE/path`; `notes.json` has the notes of the agent.
        target: a directory, which is created with a folder for each place.
        places: the allowed first parts of paths.
        limits: members beyond the limits are not unpacked.
    """
    target.mkdir(mode=0o700, parents=True)
    for place in places:
        (target / place).mkdir(mode=0o700)
    refusals, notes = Refusals(), list[str]()
    with _opened(target) as root:
        try:
            with archive.open("rb") as file, _tar(file, limits) as tar:
                notes += _unpack_all(tar, root, places, limits, refusals)
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError) as error:
            notes.append(safe_line(f"the archive from the pod could not be unpacked completely: {error}"))
    return [*notes, *refusals.notes()][: MOST_NOTES + _NAMED]


def _unpack_all(
    tar: tarfile.TarFile, root: int, places: Sequence[str], limits: Limits, refusals: Refusals
) -> list[str]:
    notes: list[str] = []
    left = limits.bytes
    for number, member in enumerate(tar):
        if member.size < 0:
            raise tarfile.ReadError("a member has a negative size")
        if number >= limits.files:
            notes.append(f"the archive from the pod has more than {limits.files} members; the rest was not copied")
            break
        try:
            if member.name == _NOTES and member.isreg():
                notes += _read_notes(tar, member)
            elif not member.isdir():
                parts = _parts(member.name, places, limits)
                _demand_plain(member, left, limits)
                left -= member.size
                _extract(tar, member, root, parts)
        except _Refused as refused:
            refusals.add(str(refused), member.name)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            refusals.add("another file has the same name", member.name)
    return notes


def _read_notes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> list[str]:
    content = tar.extractfile(member) if member.size <= 1 << 20 and not member.issparse() else None
    if content is None:
        return ["the notes of the agent are too long"]
    try:
        return decode_notes(content.read())
    except Malformed as error:
        return [f"the notes of the agent cannot be read: {error}"]


def _parts(name: str, places: Sequence[str], limits: Limits) -> list[str]:
    parts = name.split("/")
    if len(parts) < 2 or parts[0] not in places or any(part in ("", ".", "..") for part in parts):  # noqa: PLR2004
        raise _Refused("path outside of its folder")
    if not name.isprintable() or "\\" in name:
        raise _Refused("control characters in the name")
    if len(parts) > limits.depth or len(os.fsencode(name)) > 16 * limits.name:
        raise _Refused("path too long")
    if any(len(os.fsencode(part)) > limits.name for part in parts):
        raise _Refused("name too long")
    return parts


def _demand_plain(member: tarfile.TarInfo, left: int, limits: Limits) -> None:
    if member.issym() or member.islnk():
        raise _Refused("links are not copied")
    if member.issparse():
        raise _Refused("sparse files are not copied")
    if not member.isreg():
        raise _Refused("neither files nor directories")
    if member.size > left:
        raise _Refused(f"more than {limits.bytes >> 20} MiB in all")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, root: int, parts: Sequence[str]) -> None:
    content = tar.extractfile(member)
    assert content is not None, "it is a regular file"  # noqa: S101
    with _directory(root, parts[:-1]) as directory:
        mode = 0o755 if member.mode & 0o100 else 0o644
        with os.fdopen(os.open(parts[-1], _CREATE, mode, dir_fd=directory), "wb") as file:
            shutil.copyfileobj(content, file, 1 << 18)


def _tar(file: IO[bytes], limits: Limits) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("IO[bytes]", _Bounded(file, limits)), mode="r:")


class _Bounded:
    """A file that refuses to read more at once than a header or a block of content needs.

    tarfile reads an extended header in one call, with the size that the archive states.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._file = file
        self._most = max(limits.header, 1 << 20)
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._most:
            raise tarfile.ReadError(f"a header announces {size} bytes")
        return self._file.read(size)


# Copying.


def deliver(source: Path, target: Path, *, root: Path) -> list[str]:
    """Copy a file or a directory tree of regular files to the host; return notes about failures.

    No link below `root` is followed. A link at the target is replaced; the file that it points to does not change. In a
    directory, links are not copied, nor files that Python or pytest would load (`is_loaded`, `may_hold_tests`): the
    user named the directory, not these files.

    Args:
        source: a file or a directory below the directory of the run.
        target: an absolute path.
        root: the project. Its files may come from an untrusted pull request.
    """
    # Not `resolve`: it follows links.
    target, root = Path(os.path.abspath(target)), Path(os.path.abspath(root))  # noqa: PTH100
    if root.is_relative_to(target):
        return [f"{source.name} was not copied to {target}: it would be mixed with the project"]
    base, refusals = target.parent, Refusals()
    parts: tuple[str, ...] = (target.name,)
    if target.is_relative_to(root):
        base, parts = root, target.relative_to(root).parts
    try:
        base.mkdir(parents=True, exist_ok=True)
        with _opened(base, follow=True) as base_fd, _directory(base_fd, parts[:-1]) as directory:
            _copy(source, directory, parts[-1], refusals)
    except OSError as error:
        link = " (symbolic links of the project are not followed)" if isinstance(error, NotADirectoryError) else ""
        return [*refusals.notes(), f"{target.name} was not written: {error.strerror}{link}"]
    return refusals.notes()


def put_into_tree(source: Path, root: Path, path: str, before: Entry | None) -> str:
    """Copy a file to its place in the project, if there is what was there before; return why not, or nothing.

    No link is followed or replaced, and no file gets permission to be executed that did not have it.

    Args:
        source: a file below the directory of the run.
        root: the project.
        path: where it belongs, relative to it.
        before: what must be there; None: nothing.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "it is no path below the project"
    try:
        with _opened(root, follow=True) as top, _directory(top, parts[:-1]) as directory:
            there = _content(directory, parts[-1])
            if there is None and before is not None:
                return "deleted here while the tests ran"
            if there is not None and (before is None or before.kind != "f" or there.content != before.content):
                return (
                    "the working tree has another file there" if before is None else "changed here while the tests ran"
                )
            _copy_file(source, directory, parts[-1], there.mode if there else 0o644, exact=there is not None)
    except OSError as error:
        links = isinstance(error, NotADirectoryError) or error.errno == errno.ELOOP
        return "links are not followed" if links else str(error.strerror)
    return ""


def _content(directory: int, name: str) -> Entry | None:
    """Return the regular file of a name; None if there is nothing.

    Raises:
        OSError: it is a link or something else.
    """
    try:
        with os.fdopen(os.open(name, _READ, dir_fd=directory), "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "no regular file is there")
            content = hashlib.file_digest(file, "sha256").hexdigest()
            return Entry("f", stat.S_IMODE(info.st_mode), info.st_size, content)
    except FileNotFoundError:
        return None


def _copy(source: Path, directory: int, name: str, refusals: Refusals) -> None:
    if source.is_dir() and not source.is_symlink():
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)
        with _entered(directory, name) as inside:
            for entry in sorted(source.iterdir()):
                if is_loaded(entry.name) or may_hold_tests(entry.name):
                    refusals.add("Python or pytest would load it", f"{source.name}/{entry.name}")
                elif not entry.is_symlink():
                    _copy(entry, inside, entry.name, refusals)
        return
    executable = source.stat(follow_symlinks=False).st_mode & 0o100
    _copy_file(source, directory, name, 0o755 if executable else 0o644)


def _copy_file(source: Path, directory: int, name: str, mode: int, *, exact: bool = False) -> None:
    """Copy a regular file over a name; with `exact` its mode is not for the umask to change."""
    with os.fdopen(os.open(source, _READ), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return
        temporary = f".{name[:200]}.seatrial-{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        try:
            with os.fdopen(os.open(temporary, _CREATE, mode, dir_fd=directory), "wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 18)
                if exact:
                    os.fchmod(copy.fileno(), mode)
            os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise


def read_tree_below(root: Path, *, limit: int) -> dict[str, bytes] | None:
    """Return path -> content of the regular files below a directory; None above `limit` bytes. Follows no links."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        top = os.open(root, _DIRECTORY)
    except OSError:
        return found
    try:
        for directory, names, files, descriptor in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            names.sort()
            for name in sorted(files):
                with suppress(OSError), os.fdopen(os.open(name, _READ, dir_fd=descriptor), "rb") as file:
                    info = os.fstat(file.fileno())
                    total += info.st_size
                    if total > limit:
                        return None
                    if stat.S_ISREG(info.st_mode):
                        found[os.path.normpath(f"{directory}/{name}")] = file.read(limit)
    finally:
        os.close(top)
    return found


@contextmanager
def _opened(path: Path, *, follow: bool = False) -> Iterator[int]:
    descriptor = os.open(path, _DIRECTORY & ~os.O_NOFOLLOW if follow else _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _entered(directory: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _directory(base: int, parts: Sequence[str]) -> Iterator[int]:
    """Open a directory below another one and create missing ones; a link in the path is an error."""
    with ExitStack() as stack:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=base)
            base = stack.enter_context(_entered(base, part))
        yield base
