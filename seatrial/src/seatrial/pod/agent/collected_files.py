"""Pack the files that the host collects after a run: pytest's cache, coverage, report files, artifacts and changes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from typing import Any

from .artifact_copies import find_artifacts, is_on_volume
from .changes import changes, files_to_copy
from .state_files import read_json, state
from .wire import COLLECTED_DIRECTORY, COLLECTED_FILE

__all__ = ["pack"]

_CACHE_LIMIT = 20 << 20
_MEMORY = 160 << 20
"""Memory limit in bytes for coverage.py in container `keeper`, so that the kernel does not kill that container."""
_LIMITED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_DATA, ({_MEMORY}, {_MEMORY}))
runpy.run_module("coverage", run_name="__main__", alter_sys=True)
"""


def pack(request: dict[str, Any], run: str, *, killed: bool = False, keeper: bool = False) -> None:
    """Write the archive of a run: `cache/…`, `coverage/…`, `files/…`, `artifacts/…`, `changed/…` and `notes.json`.

    `changed/` has copies of files that the run changed in synced folders, `tree/changes.json` the list of all changes.

    Args:
        request: request of the run.
        run: directory of the run.
        killed: whether a signal ended the command.
        keeper: whether this is container `keeper` after the end of container `tests`: only files on volumes remain.
    """
    notes: list[str] = []
    temporary = os.path.join(run, COLLECTED_FILE + ".new")
    with tarfile.open(temporary, "w") as archive:
        if _coverage(request, run, notes, limited=keeper) and killed:
            notes.append("coverage is incomplete: pytest was killed, and only tests that finished before are counted")
        for place in ("coverage", "files"):
            _add(archive, os.path.join(run, COLLECTED_DIRECTORY, place), place, notes)
        cache = state("cache")
        if _size(cache) <= _CACHE_LIMIT:
            _add(archive, cache, "cache", notes)
        else:
            notes.append(f"pytest's cache was not collected: it is larger than {_CACHE_LIMIT >> 20} MB")
        _artifacts(archive, request, run, notes, keeper=keeper)
        _changes(archive, notes)
        _add_json(archive, "notes.json", notes)
    os.replace(temporary, os.path.join(run, COLLECTED_FILE))


def _artifacts(archive: tarfile.TarFile, request: dict[str, Any], run: str, notes: list[str], *, keeper: bool) -> None:
    """Add the matches of the artifact patterns; in `keeper`, files on volumes and copies of other files."""
    copies, copied = os.path.join(run, "artifacts"), False
    for pattern in request.get("artifacts", []):
        before = len(archive.getmembers())
        for path, name in find_artifacts(request["cwd"], pattern):
            _add(archive, path, f"artifacts/{name}", notes, volumes=keeper)
        for path, name in find_artifacts(copies, pattern.lstrip("/")) if keeper else ():
            copied = True
            _add(archive, path, f"artifacts/{name}", notes)
        if len(archive.getmembers()) == before:
            notes.append(f"artifacts: no files match {pattern}")
    if copied:
        notes.append("artifacts outside of synced folders are copies, made up to a second before pytest was killed")


def _changes(archive: tarfile.TarFile, notes: list[str]) -> None:
    """Add the files that the run changed in synced folders."""
    found = changes()
    if not found:
        return
    root = found.pop("root")
    if any(found.values()):
        _add_json(archive, "tree/changes.json", found)
        for path in files_to_copy(found):
            _add(archive, os.path.join(root, path), f"changed/{path}", notes)


def _add_json(archive: tarfile.TarFile, name: str, value: Any) -> None:
    text = json.dumps(value).encode()
    member = tarfile.TarInfo(name)
    member.size = len(text)
    archive.addfile(member, io.BytesIO(text))


def _coverage(request: dict[str, Any], run: str, notes: list[str], *, limited: bool) -> bool:
    """Combine the coverage data of several processes and write the XML report, with the coverage.py of the tests.

    Returns False if there is nothing to do: the plugin has written the report, or there is no data.
    """
    directory = os.path.join(run, COLLECTED_DIRECTORY, "coverage")
    measured = (
        [name for name in os.listdir(directory) if name.startswith(".coverage")] if os.path.isdir(directory) else []
    )
    if not measured or os.path.exists(os.path.join(directory, "coverage.xml")):
        return False
    session = read_json(os.path.join(run, "interpreter.json"))
    if not session:
        notes.append("coverage: the report was not written, because the Python interpreter of pytest is unknown")
        return True
    environment = {**os.environ, "COVERAGE_FILE": os.path.join(directory, ".coverage")}
    steps = [["xml", "-q", "--ignore-errors", "-o", os.path.join(directory, "coverage.xml")]]
    if measured != [".coverage"]:
        steps.insert(0, ["combine", "-q", "--append"])
    for step in steps:
        done = subprocess.run(
            [session["executable"], *(("-c", _LIMITED) if limited else ("-m", "coverage")), *step],
            cwd=request["cwd"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            notes.append(f"coverage {step[0]}: {(done.stdout + done.stderr).decode('utf-8', 'replace').strip()}")
            break
    return True


def _size(path: str) -> int:
    return sum(
        os.lstat(os.path.join(directory, name)).st_size for directory, _, names in os.walk(path) for name in names
    )


def _add(archive: tarfile.TarFile, path: str, name: str, notes: list[str], *, volumes: bool = False) -> None:
    """Add a file or a directory; with `volumes`, only files on volumes. Unreadable files are noted and omitted."""
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in sorted(os.listdir(path)):
            _add(archive, os.path.join(path, entry), f"{name}/{entry}", notes, volumes=volumes)
        return
    try:
        if volumes and not is_on_volume(path):
            return
        member = archive.gettarinfo(path, name)
        if member.islnk():
            # A second hard link: store the content again, because the host accepts no links.
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.lstat(path).st_size
        if not member.isreg():
            archive.addfile(member)
            return
        with open(path, "rb") as file:
            archive.addfile(member, file)
    except OSError as error:
        notes.append(f"{name}: {error.strerror}")
