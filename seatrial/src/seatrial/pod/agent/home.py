"""What goes home after a run: pytest's cache, coverage data, the artifacts that the configuration names."""

from __future__ import annotations

import glob
import io
import json
import os
import subprocess
import tarfile
from typing import Any

from .state import read_json, state

__all__ = ["pack"]

_CACHE_LIMIT = 20 << 20


def pack(request: dict[str, Any], run: str) -> None:
    """Write home.tar for the run: `cache/…`, `coverage/…`, `files/…`, `artifacts/…` and `notes.json`."""
    notes: list[str] = []
    temporary = os.path.join(run, "home.new")
    with tarfile.open(temporary, "w") as archive:
        _coverage(request, run, notes)
        for place in ("coverage", "files"):
            _add(archive, os.path.join(run, "home", place), place, notes)
        cache = state("cache")
        if _size(cache) <= _CACHE_LIMIT:
            _add(archive, cache, "cache", notes)
        else:
            notes.append(f"pytest's cache is larger than {_CACHE_LIMIT >> 20} MB and stayed in the pod")
        for pattern in request.get("artifacts", []):
            found = sorted(glob.glob(os.path.join(request["cwd"], pattern)))
            if not found:
                notes.append(f"artifacts: nothing is at {pattern}")
            for path in found:
                name = os.path.relpath(path, request["cwd"]) if not os.path.isabs(pattern) else path.lstrip("/")
                _add(archive, path, "artifacts/" + name, notes)
        text = json.dumps(notes).encode()
        member = tarfile.TarInfo("notes.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    os.replace(temporary, os.path.join(run, "home.tar"))


def _coverage(request: dict[str, Any], run: str, notes: list[str]) -> None:
    """Combine what several processes measured, and write the XML, where the sources and the right coverage.py are.

    Skipped if the plugin has done it inside pytest's process, or if nothing was measured.
    """
    directory = os.path.join(run, "home", "coverage")
    measured = (
        [name for name in os.listdir(directory) if name.startswith(".coverage")] if os.path.isdir(directory) else []
    )
    if not measured or os.path.exists(os.path.join(directory, "coverage.xml")):
        return
    session = read_json(os.path.join(run, "interpreter.json"))
    if not session:
        notes.append("coverage: no interpreter is known that could write the report")
        return
    environment = {**os.environ, "COVERAGE_FILE": os.path.join(directory, ".coverage")}
    steps = [["xml", "-q", "--ignore-errors", "-o", os.path.join(directory, "coverage.xml")]]
    if measured != [".coverage"]:
        steps.insert(0, ["combine", "-q", "--append"])
    for step in steps:
        done = subprocess.run(
            [session["executable"], "-m", "coverage", *step],
            cwd=request["cwd"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            notes.append(f"coverage {step[0]}: {(done.stdout + done.stderr).decode('utf-8', 'replace').strip()}")
            return


def _size(path: str) -> int:
    return sum(
        os.lstat(os.path.join(directory, name)).st_size for directory, _, names in os.walk(path) for name in names
    )


def _add(archive: tarfile.TarFile, path: str, name: str, notes: list[str]) -> None:
    """Add a file or a directory; what cannot be read is noted and left out."""
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in sorted(os.listdir(path)):
            _add(archive, os.path.join(path, entry), f"{name}/{entry}", notes)
        return
    try:
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
