"""What goes home after a run: pytest's cache, coverage data, the artifacts that the configuration names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from typing import Any

from .artifact_copies import find_artifacts, is_on_volume
from .changes import changes, copied
from .state_files import read_json, state
from .wire import COLLECTED_FILE

__all__ = ["pack"]

_CACHE_LIMIT = 20 << 20
_MEMORY = 160 << 20
"""Bytes that coverage.py may have in container `keeper`: with more, the kernel would end that one too."""
_LIMITED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_DATA, ({_MEMORY}, {_MEMORY}))
runpy.run_module("coverage", run_name="__main__", alter_sys=True)
"""


def pack(request: dict[str, Any], run: str, *, killed: bool = False, keeper: bool = False) -> None:
    """Write the archive of the run: `cache/…`, `coverage/…`, `files/…`, `artifacts/…`, `changed/…` and `notes.json`.

    `changed` has what the run changed in the synced folders, `tree/changes.json` the list of all that it changed there.

    Args:
        request: of the run.
        run: its directory.
        killed: a signal ended the command.
        keeper: this is container `keeper`, and container `tests` is dead: of its files, only those on volumes are left.
    """
    notes: list[str] = []
    temporary = os.path.join(run, "home.new")
    with tarfile.open(temporary, "w") as archive:
        if _coverage(request, run, notes, limited=keeper) and killed:
            notes.append("coverage is incomplete: pytest was killed, and only tests that had ended before count")
        for place in ("coverage", "files"):
            _add(archive, os.path.join(run, "home", place), place, notes)
        cache = state("cache")
        if _size(cache) <= _CACHE_LIMIT:
            _add(archive, cache, "cache", notes)
        else:
            notes.append(f"pytest's cache is larger than {_CACHE_LIMIT >> 20} MB and stayed in the pod")
        _artifacts(archive, request, run, notes, keeper=keeper)
        _changes(archive, notes)
        _add_json(archive, "notes.json", notes)
    os.replace(temporary, os.path.join(run, COLLECTED_FILE))


def _artifacts(archive: tarfile.TarFile, request: dict[str, Any], run: str, notes: list[str], *, keeper: bool) -> None:
    """Add what the patterns of the configuration find; in `keeper`, files on volumes and copies of the others."""
    copies, copied = os.path.join(run, "artifacts"), False
    for pattern in request.get("artifacts", []):
        before = len(archive.getmembers())
        for path, name in find_artifacts(request["cwd"], pattern):
            _add(archive, path, f"artifacts/{name}", notes, volumes=keeper)
        for path, name in find_artifacts(copies, pattern.lstrip("/")) if keeper else ():
            copied = True
            _add(archive, path, f"artifacts/{name}", notes)
        if len(archive.getmembers()) == before:
            notes.append(f"artifacts: nothing is at {pattern}")
    if copied:
        notes.append("artifacts outside of synced directories are copies, made up to a second before the tests died")


def _changes(archive: tarfile.TarFile, notes: list[str]) -> None:
    """Add what the run changed in the synced folders."""
    found = changes()
    if not found:
        return
    root = found.pop("root")
    if any(found.values()):
        _add_json(archive, "tree/changes.json", found)
        for path in copied(found):
            _add(archive, os.path.join(root, path), f"changed/{path}", notes)


def _add_json(archive: tarfile.TarFile, name: str, value: Any) -> None:
    text = json.dumps(value).encode()
    member = tarfile.TarInfo(name)
    member.size = len(text)
    archive.addfile(member, io.BytesIO(text))


def _coverage(request: dict[str, Any], run: str, notes: list[str], *, limited: bool) -> bool:
    """Combine what several processes measured, and write the XML, where the sources and the right coverage.py are.

    Skipped if the plugin has done it inside pytest's process, or if nothing was measured. Returns whether it was not.
    """
    directory = os.path.join(run, "home", "coverage")
    measured = (
        [name for name in os.listdir(directory) if name.startswith(".coverage")] if os.path.isdir(directory) else []
    )
    if not measured or os.path.exists(os.path.join(directory, "coverage.xml")):
        return False
    session = read_json(os.path.join(run, "interpreter.json"))
    if not session:
        notes.append("coverage: no interpreter is known that could write the report")
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
    """Add a file or a directory, or what of it is on `volumes`; what cannot be read is noted and left out."""
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in sorted(os.listdir(path)):
            _add(archive, os.path.join(path, entry), f"{name}/{entry}", notes, volumes=volumes)
        return
    try:
        if volumes and not is_on_volume(path):
            return
        member = archive.gettarinfo(path, name)
        if member.islnk():
            # Its second name in the archive: a file of its own there, because the host takes no links.
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.lstat(path).st_size
        if not member.isreg():
            archive.addfile(member)
            return
        with open(path, "rb") as file:
            archive.addfile(member, file)
    except OSError as error:
        notes.append(f"{name}: {error.strerror}")
