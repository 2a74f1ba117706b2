"""What comes home after a run, and where it goes."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from seatrial.inpod.agent.tree import Refused, apply
from seatrial.inpod.coverage import CoverageHome, map_coverage
from seatrial.inpod.request import Request

__all__ = ["Home", "bring_home"]


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
    places = {name: str(incoming / name) for name in ("cache", "coverage", "files", "artifacts")}
    notes: list[str] = []
    for place in places.values():
        Path(place).mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            listed = tar.extractfile("notes.json")
            notes += json.loads(listed.read()) if listed else []
        with tarfile.open(archive) as tar:
            members = [member for member in tar if member.name != "notes.json"]
            for member in members:
                try:
                    apply(tar, places, [], [member])
                except Refused as refused:
                    notes.append(str(refused))
    except (tarfile.TarError, OSError, ValueError, KeyError) as error:
        notes.append(f"what the run left in the pod could not be unpacked: {error}")
    coverage = _take_coverage(Path(places["coverage"]), request, run_dir, notes)
    _deliver_files(incoming, run_dir, request, notes)
    artifacts = _take(Path(places["artifacts"]), run_dir / "artifacts")
    if request.cache and not request.informational:
        _take_cache(Path(places["cache"]), request.root / ".pytest_cache")
    shutil.rmtree(incoming, ignore_errors=True)
    archive.unlink(missing_ok=True)
    return Home(artifacts, coverage, tuple(notes))


def _deliver_files(incoming: Path, run_dir: Path, request: Request, notes: list[str]) -> None:
    """Put files that options asked for where the user wants them; coverage has been mapped by now."""
    for inside, target in request.files:
        source = run_dir / inside if inside.startswith("coverage/") else incoming / inside
        if not source.exists():
            notes.append(f"{target.name} was not written in the pod")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def _take(source: Path, target: Path) -> Path | None:
    if not any(source.iterdir()):
        return None
    shutil.rmtree(target, ignore_errors=True)
    source.rename(target)
    return target


def _take_cache(source: Path, target: Path) -> None:
    """Let the pod's cache be the project's, as if pytest had run here."""
    if not any(source.iterdir()):
        return
    shutil.rmtree(target / "v", ignore_errors=True)
    shutil.copytree(source, target, dirs_exist_ok=True)


def _take_coverage(source: Path, request: Request, run_dir: Path, notes: list[str]) -> CoverageHome | None:
    if not any(source.iterdir()):
        return None
    target = run_dir / "coverage"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    try:
        home = map_coverage(target, root=request.root, directory_in_pod=request.directory)
    except (OSError, ValueError) as error:
        notes.append(f"coverage could not be mapped to the project: {error}")
        return None
    if home.data.is_file():
        shutil.copyfile(home.data, request.root / ".coverage")
    return home
