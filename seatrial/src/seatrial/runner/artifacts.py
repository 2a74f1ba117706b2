"""Collect files of a run from the pod: pytest's cache, coverage, reports that options ask for, and artifacts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from seatrial.runner.archive import deliver, unpack
from seatrial.runner.coverage import CollectedCoverage, map_coverage
from seatrial.runner.decoder import Malformed, TreeChanges, decode_changes
from seatrial.runner.options import ReportFile
from seatrial.runner.pod_changes import collect_into_tree
from seatrial.runner.request import Request

__all__ = ["CollectedFiles", "collect_files", "reports_in"]

_PLACES: Final = ("cache", "coverage", "files", "artifacts", "changed", "tree")
_MOST_REPORTS: Final = 20
"""Number of reports in the summary that only an ini file or a variable names."""


@dataclass(frozen=True, slots=True)
class CollectedFiles:
    """The files that a run left in the pod, on the host.

    Attributes:
        artifacts: their directory; None if there are none.
        coverage: None if nothing was measured.
        reports: paths of the files that options of pytest name.
        changes: files that the run changed in the synced folders of the pod; None: none, or unknown.
        in_tree: paths of those that were copied into the working tree.
        copies: directory with copies of them; None: no file was copied.
        notes: what could not be collected, one line each.
    """

    artifacts: Path | None = None
    coverage: CollectedCoverage | None = None
    reports: tuple[Path, ...] = ()
    changes: TreeChanges | None = None
    in_tree: tuple[str, ...] = ()
    copies: Path | None = None
    notes: tuple[str, ...] = ()


def collect_files(archive: Path, request: Request, run_dir: Path) -> CollectedFiles:
    """Unpack the archive: pytest's cache into the project, coverage, reports and artifacts into the run's directory."""
    incoming = run_dir / "incoming"
    for leftover in (incoming, *(run_dir / name for name in ("coverage", "reports", "artifacts", "changed"))):
        shutil.rmtree(leftover, ignore_errors=True)
    notes = unpack(archive, incoming, _PLACES)
    coverage = _take_coverage(incoming / "coverage", request, run_dir, notes)
    _take(incoming / "files", run_dir / "reports")
    reports = _deliver_reports(run_dir, request, notes)
    artifacts = _take(incoming / "artifacts", run_dir / "artifacts")
    copies = _take(incoming / "changed", run_dir / "changed")
    changes = _read_changes(incoming / "tree" / "changes.json", notes)
    in_tree: tuple[str, ...] = ()
    if copies and changes and request.tree:
        in_tree = collect_into_tree(copies, changes, request.tree, request.collect, notes)
    if request.cache and not request.informational:
        _take_cache(incoming / "cache", request.root, notes)
    shutil.rmtree(incoming, ignore_errors=True)
    archive.unlink(missing_ok=True)
    return CollectedFiles(
        artifacts=artifacts,
        coverage=coverage,
        reports=reports,
        changes=changes,
        in_tree=in_tree,
        copies=copies,
        notes=tuple(notes),
    )


def reports_in(run_dir: Path, inside: str) -> Path:
    """Return where the run's directory has a collected file: `files/html/report.html` -> `reports/html/report.html`."""
    return run_dir / inside.replace("files/", "reports/", 1) if inside.startswith("files/") else run_dir / inside


def _read_changes(path: Path, notes: list[str]) -> TreeChanges | None:
    if not path.is_file():
        return None
    try:
        return decode_changes(path.read_bytes())
    except Malformed as error:
        notes.append(f"the list of files that the run changed in the pod cannot be read: {error}")
        return None


def _deliver_reports(run_dir: Path, request: Request, notes: list[str]) -> tuple[Path, ...]:
    """Copy reports to their targets, and return their paths. The paths in coverage data are mapped already."""
    found: list[Path] = []
    for report in request.files:
        source = reports_in(run_dir, report.inside)
        if source.exists():
            found.append(_deliver_report(source, report, request.root, notes))
        elif report.needed:
            notes.append(f"{source.name} was not written in the pod")
    asked = {reports_in(run_dir, report.inside).parent for report in request.files}
    return (*found, *islice(_other_reports(run_dir / "reports", asked), _MOST_REPORTS))


def _deliver_report(source: Path, report: ReportFile, root: Path, notes: list[str]) -> Path:
    if report.target is None:
        return source
    problems = deliver(source, report.target, root=root)
    if report.companion and (beside := source.with_name(report.companion)).is_dir():
        notes += deliver(beside, report.target.with_name(report.companion), root=root)
    notes += [f"{problem}; the file is in {source}" for problem in problems]
    return source if problems else report.target


def _other_reports(directory: Path, asked: set[Path]) -> Iterator[Path]:
    """Yield reports that an ini file or a variable names: files in the option's folder, else the folder it names."""
    if not directory.is_dir():
        return
    for option in sorted(directory.iterdir()):
        if option.is_file():
            yield option
        elif option not in asked:
            entries = sorted(option.iterdir())
            yield from [entry for entry in entries if entry.is_file()] or entries


def _take(source: Path, target: Path) -> Path | None:
    if not any(source.iterdir()):
        return None
    source.rename(target)
    return target


def _take_cache(source: Path, root: Path, notes: list[str]) -> None:
    """Replace the project's pytest cache by that of the pod."""
    if not any(source.iterdir()):
        return
    target = root / ".pytest_cache"
    if target.is_symlink():
        notes.append(f"pytest's cache was not copied: {target} is a symbolic link")
        return
    shutil.rmtree(target / "v", ignore_errors=True)
    notes += deliver(source, target, root=root)


def _take_coverage(source: Path, request: Request, run_dir: Path, notes: list[str]) -> CollectedCoverage | None:
    if not any(source.iterdir()):
        return None
    target = run_dir / "coverage"
    source.rename(target)
    try:
        collected = map_coverage(target, root=request.root, directory_in_pod=request.directory)
    except (OSError, ValueError) as error:
        notes.append(f"coverage could not be mapped to the project: {error}")
        return None
    if collected.data.is_file():
        notes += deliver(collected.data, request.root / ".coverage", root=request.root)
    return collected
