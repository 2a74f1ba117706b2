"""Decide which folders of an image can be updated by sending files, and which changed files can be sent. Pure.

A place is a folder below a path of `[runner] sync` that a plain COPY puts at the same path below the working directory.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from seatrial.image_inputs.context_use import Analysis, Doubt, Read
from seatrial.image_inputs.working_tree import Entry, Files, below

__all__ = ["SyncedFolders", "places_of"]

_BUILD_FILES: Final = re.compile(
    r"(.*/)?(setup\.(py|cfg)|pyproject\.toml|MANIFEST\.in|CMakeLists\.txt|meson\.build|README[^/]*|LICEN[CS]E[^/]*)"
    r"|.*\.(c|cc|cpp|cxx|h|hpp|pyx|pxd|rs|f|f90|go|lock|in)"
)
"""Files that an editable installation may read: metadata, and sources of compiled modules."""


@dataclass(frozen=True, slots=True)
class SyncedFolders:
    """The synced folders of an image, and the changes that can be sent to them.

    Attributes:
        analysis: the analysis of the Dockerfile.
        directory: working directory of the runner in the image.
        paths: the folders, relative to the working directory and to the context.
        files: the files that the context had when the image was built, and those that it has now.
        settled: an editable installation depends only on file names: static metadata, no build script.
    """

    analysis: Analysis
    directory: str
    paths: tuple[str, ...]
    files: Files
    settled: bool = True
    _blocked: dict[str, Doubt | None] = field(default_factory=dict)

    def refuses(self, path: str, before: Entry | None, now: Entry | None) -> str:
        """Return why a changed file cannot be sent; empty if it can."""
        place = next((each for each in self.paths if below(path, [each])), None)
        for read in self.analysis.reads:
            if not read.matches(path):
                continue
            if read.doubt:
                return str(read.doubt)
            if not _is_identity(read, path, self.directory, self.files):
                return f"Dockerfile line {read.line}: it is not copied to {self.directory}/{path}"
            if read.editable and (reason := self._installed(path, before, now)):
                return f"Dockerfile line {read.editable}: {reason}"
            if place is None and (doubt := self.blocked(_outermost(read, path))):
                return str(doubt)
        if place is None:
            return "it is not in a synced folder"
        if doubt := self.blocked(place):
            return str(doubt)
        owned = all(read.owned for read in self.analysis.reads if read.matches(path))
        return _special(path, before, now, owned=owned)

    def blocked(self, place: str) -> Doubt | None:
        """Return the instruction that may add or change files in a place; None if no instruction may."""
        if place not in self._blocked:
            self._blocked[place] = self._find_blocker(place)
        return self._blocked[place]

    def _find_blocker(self, place: str) -> Doubt | None:
        absolute = posixpath.normpath(posixpath.join(self.directory, place))
        if self.analysis.everything is not None:
            return self.analysis.everything
        reads = self.analysis.reads
        copied = min((read.order for read in reads if read.order >= 0 and read.matches(place)), default=0)
        for write in self.analysis.writes:
            inside = below(write.path, [absolute])
            over = below(absolute, [write.path]) and (write.covers or write.order > copied)
            if inside or over:
                return Doubt(write.line, write.message)
        for read in reads:
            if read.order < 0:
                continue
            if read.destination is None:
                return read.doubt
            for path in self.files:
                if read.matches(path) and not _is_identity(read, path, self.directory, self.files):
                    targets = [target for target in read.targets(path) if below(target, [absolute])]
                    # A file cannot have the path of the place itself.
                    odd = [target for target in targets if target != absolute]
                    if odd and self.files[path].kind != "d" and odd != [posixpath.join(self.directory, path)]:
                        return Doubt(read.line, f"{path} is copied into {place}")
        return None

    def _installed(self, path: str, before: Entry | None, now: Entry | None) -> str:
        """Return why a change may affect an editable installation; empty if it cannot."""
        if not self.settled:
            return "the editable installation may depend on file contents (dynamic metadata or setup.py)"
        if _BUILD_FILES.fullmatch(path):
            return "the editable installation may depend on this file"
        parent = posixpath.dirname(path)
        known = any(other != path and posixpath.dirname(other) == parent for other in self.files)
        if (before is None or now is None) and not known:
            return "a new or deleted folder may change the editable installation"
        return ""


def places_of(analysis: Analysis, directory: str, sync: Sequence[str], files: Files) -> tuple[str, ...]:
    """Return the places of an image.

    Args:
        analysis: the analysis of its Dockerfile.
        directory: working directory of the runner.
        sync: paths of `[runner] sync`, relative to the context.
        files: the files of the context when the image was built.
    """
    found: dict[str, None] = {}
    for wanted in dict.fromkeys(posixpath.normpath(path) for path in sync):
        for read in analysis.reads:
            if read.doubt or read.order < 0 or len(read.sources) != 1:
                continue
            source = read.sources[0].path
            if not _same(read, source, directory):
                continue
            place = source if below(source, [wanted]) else wanted if below(wanted, [source]) else ""
            # Not the whole working directory: other files in it, for example a virtualenv, would be copied per pod.
            each = {path.partition("/")[0] for path in files} if place == "." else {place}
            found |= dict.fromkeys(path for path in each if path and _is_folder(path, files))
    outer = [place for place in found if not any(place != other and below(place, [other]) for other in found)]
    whole = SyncedFolders(analysis, directory, tuple(outer), files)
    return tuple(sorted(place for place in outer if whole.blocked(place) is None))


def _same(read: Read, source: str, directory: str) -> bool:
    """Whether a folder is copied to the same path below the working directory."""
    return read.destination == posixpath.normpath(posixpath.join(directory, source))


def _outermost(read: Read, path: str) -> str:
    """Return the outermost folder of a file that can be a place."""
    source = read.sources[0].path
    return path.partition("/")[0] if source == "." else source


def _is_folder(path: str, files: Files) -> bool:
    return any(file.startswith(f"{path}/") for file in files)


def _is_identity(read: Read, path: str, directory: str, files: Files) -> bool:
    """Whether a file is copied with its folder to the same path below the working directory."""
    if len(read.sources) != 1 or read.sources[0].parts or read.order < 0:
        return False
    source = read.sources[0].path
    if not _same(read, source, directory):
        return False
    return path != source or path not in files or files[path].kind == "d"


def _special(path: str, before: Entry | None, now: Entry | None, *, owned: bool) -> str:
    """Return why a pod cannot have a file as an image has it; empty if it can."""
    if any("\udc80" <= char <= "\udcff" for char in path):
        return "its name is not UTF-8"
    # The file of the image counts too: its pod may not start.
    for entry in (before, now):
        if entry is None:
            continue
        if entry.kind == "l" and _leads_out(path, entry.content):
            return "the link points out of the working tree"
        if entry.mode & 0o7000 and entry.kind == "f":
            return "its mode has set-user-ID, set-group-ID or sticky bits"
        wanted = {"f": 0o004, "d": 0o005}.get(entry.kind, 0)
        if entry.mode & wanted != wanted and not (owned and entry.mode & wanted << 6 == wanted << 6):
            return "only its owner may read it"
    if before is not None and now is not None and "d" == before.kind == now.kind and before.mode != now.mode:
        return "the mode of the folder changed"
    return ""


def _leads_out(path: str, target: str) -> bool:
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return target.startswith("/") or resolved == ".." or resolved.startswith("../")
