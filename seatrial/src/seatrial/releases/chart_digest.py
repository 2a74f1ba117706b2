"""Compute one digest over the chart, values and names that decide which objects a release creates."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec

__all__ = ["release_digest"]

_NOT_CHART: Final = (".git", ".seatrial")
"""Folders that are not part of a chart, even if the chart is the project's root: each run writes into them."""


def release_digest(release: ReleaseSpec, values: Mapping[str, str], root: Path) -> str:
    """Return a digest over everything that decides a release's objects: chart, values files, single values, names.

    It covers each chart file that Helm can read, also through links and in `file://` dependencies. It covers files that
    `.helmignore` excludes, too: an upgrade too many is better than one too few.

    Args:
        release: the release.
        values: single values that seatrial sets, beside those of the configuration.
        root: the project's root, which a local chart's path is relative to.

    Raises:
        UsageError: a file cannot be read.
    """
    digest = hashlib.sha256()
    names = (release.name, release.namespace, release.chart, release.repository, release.version)
    singles = sorted({**release.set, **values}.items())
    digest.update(repr((names, singles)).encode(errors="surrogateescape"))
    for path in (*_files(root / release.chart), *release.values):
        digest.update(os.fsencode(path) + b"\0")
        digest.update(_content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """Return the digest of a file's content, or of a broken link's target; of nothing for a pipe."""
    try:
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).digest()
        return hashlib.sha256(os.fsencode(path.readlink()) if path.is_symlink() else b"").digest()
    except OSError as error:
        raise UsageError(f"cannot read {path}", reason=str(error.strerror)) from error


def _files(chart: Path) -> Iterator[Path]:
    """Yield the files of a local chart. An archive is one file, a remote chart has none."""
    if not chart.is_dir():
        if chart.is_file():
            yield chart
        return
    sources = _local_dependencies(chart)
    for path in _below(chart, frozenset()):
        # Helm packs these archives again from their sources, with new timestamps.
        if path.parent != chart / "charts" or not any(fnmatch(path.name, f"{name}-*.tgz") for name in sources):
            yield path
    for source in sources.values():
        yield from _below(source, frozenset())


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Yield all files below a folder. Follow links as Helm does, except those that lead back to a parent folder."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read {folder}", reason=str(error.strerror)) from error
    for entry in entries:
        if not _is_folder(entry):
            yield Path(entry.path)
        elif entry.name not in _NOT_CHART:
            yield from _below(Path(entry.path), above | {real})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False


def _local_dependencies(chart: Path) -> dict[str, Path]:
    """Return the local charts that a chart depends on by `repository: file://…`, by name."""
    file = chart / "Chart.yaml"
    try:
        text = file.read_bytes()
    except OSError:
        return {}
    # Parsing takes longer than the rest of this function.
    if b"file://" not in text:
        return {}
    import yaml  # noqa: PLC0415

    try:
        entries = (yaml.safe_load(text) or {}).get("dependencies") or ()
        found = {str(each["name"]): chart / each["repository"].removeprefix("file://") for each in entries
                 if str(each.get("repository", "")).startswith("file://")}  # fmt: skip
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        # Helm reports what is wrong with the file.
        return {}
    return {name: path for name, path in found.items() if path.is_dir()}
