"""Bring home what a run leaves in the pod: pytest's cache, coverage, files that options ask for, artifacts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.runner.archive import deliver, unpack
from seatrial.runner.coverage import CoverageHome, map_coverage
from seatrial.runner.request import Request

__all__ = ["Home", "bring_home"]

_PLACES: Final = ("cache", "coverage", "files", "artifacts")


@dataclass(frozen=True, slots=True)
class Home:
    """What came.

    Attributes:
        artifacts: the directory with them; None if there are none.
        coverage: None if nothing was measured.
        notes: what could not be brought, one line each.
    """

    artifacts: Path | None = None
    coverage: CoverageHome | None = None
    notes: tuple[str, ...] = ()


def bring_home(archive: Path, request: Request, run_dir: Path) -> Home:
    """Unpack the archive: pytest's cache into the project, coverage and artifacts into the run's directory."""
    incoming = run_dir / "incoming"
    for leftover in (incoming, run_dir / "coverage", run_dir / "artifacts"):
        shutil.rmtree(leftover, ignore_errors=True)
    notes = unpack(archive, incoming, _PLACES)
    coverage = _take_coverage(incoming / "coverage", request, run_dir, notes)
    _deliver_files(incoming, run_dir, request, notes)
    artifacts = _take(incoming / "artifacts", run_dir / "artifacts")
    if request.cache and not request.informational:
        _take_cache(incoming / "cache", request.root, notes)
    shutil.rmtree(incoming, ignore_errors=True)
    archive.unlink(missing_ok=True)
    return Home(artifacts, coverage, tuple(notes))


def _deliver_files(incoming: Path, run_dir: Path, request: Request, notes: list[str]) -> None:
    """Put files that options asked for where the user wants them; coverage has been mapped by now."""
    for inside, target in request.files:
        source = run_dir / inside if inside.startswith("coverage/") else incoming / inside
        if source.exists():
            notes += deliver(source, target, root=request.root)
        else:
            notes.append(f"{target.name} was not written in the pod")


def _take(source: Path, target: Path) -> Path | None:
    if not any(source.iterdir()):
        return None
    source.rename(target)
    return target


def _take_cache(source: Path, root: Path, notes: list[str]) -> None:
    """Let the pod's cache be the project's, as if pytest had run here."""
    if not any(source.iterdir()):
        return
    target = root / ".pytest_cache"
    if target.is_symlink():
        notes.append(f"pytest's cache was not copied: {target} is a symbolic link")
        return
    shutil.rmtree(target / "v", ignore_errors=True)
    notes += deliver(source, target, root=root)


def _take_coverage(source: Path, request: Request, run_dir: Path, notes: list[str]) -> CoverageHome | None:
    if not any(source.iterdir()):
        return None
    target = run_dir / "coverage"
    source.rename(target)
    try:
        home = map_coverage(target, root=request.root, directory_in_pod=request.directory)
    except (OSError, ValueError) as error:
        notes.append(f"coverage could not be mapped to the project: {error}")
        return None
    if home.data.is_file():
        notes += deliver(home.data, request.root / ".coverage", root=request.root)
    return home
