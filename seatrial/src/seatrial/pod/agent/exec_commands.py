"""Implement the commands that the host runs in container `tests`: submit, interrupt, attach, manifest."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tarfile
import time
from typing import IO, Any

from .changes import record_files_before
from .file_tree import Refused, apply, digest, scan
from .state_files import Lock, run_path, state
from .wire import EXIT_FILE, REQUEST_FILE, SubmitError

__all__ = ["attach", "interrupt", "manifest", "submit"]

_ABANDONED_SECONDS = 5.0
"""Seconds without a tail after which a run is abandoned, so that the next run may kill it."""
_KILL_SECONDS = 5.0
_START_SECONDS = 5.0
"""Seconds that the supervisor of a new container may take to start."""


def manifest() -> int:
    """Read `{"root", "paths"}` from stdin; print the files there, and those of the image when the pod started."""
    query = json.loads(sys.stdin.buffer.readline())
    seeded: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError), open(state("seed.json"), encoding="ascii") as file:
        seeded = json.load(file)
    _answer({"files": scan(query["root"], query["paths"], lenient=True), "seeded": seeded})
    return 0


def submit() -> int:
    """Change the files, print them, and start a run. No other run can start in between.

    stdin is a line of JSON, `{"tree": {"root", "paths", "expect"} or null, "delete": […], "cache": bool, "archive":
    bool, "request": {…} or null}`, then a tar if `archive`. Members and deletions are named `tree/PATH` or
    `cache/PATH`; `cache` empties pytest's cache first. Prints a line of JSON: `{"files": {…}, "changed": N}`, or
    `{"error", "reason"}` with an error of `SubmitError`.

    If the files differ from `expect`, nothing is changed or started: `{"error": "differs", "files": {…}}`. The host may
    start this command early. Without input it does nothing.
    """
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    command = json.loads(line)
    busy = Lock(state("busy"))
    if not _take(busy):
        answer = {"error": SubmitError.BUSY, "reason": _running()}
    else:
        try:
            answer = _change(command)
        except OSError as error:
            reason = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
            answer = {"error": SubmitError.OS, "reason": reason}
        finally:
            busy.release()
    # Read the input to its end even after an error: an exec does not finish while its input is not consumed.
    while sys.stdin.buffer.read(1 << 20):
        pass
    _answer(answer)
    return 0


def _change(command: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"files": {}, "changed": 0}
    tree = command.get("tree")
    if tree and tree.get("expect"):
        answer["files"] = scan(tree["root"], tree["paths"], lenient=True)
        if digest(answer["files"]) != tree["expect"]:
            return {"error": SubmitError.DIFFERS, "files": answer["files"]}
    if command.get("cache"):
        shutil.rmtree(state("cache"), ignore_errors=True)
        os.makedirs(state("cache"))
    if command.get("archive") or command.get("delete"):
        refused = _apply(command, {"cache": state("cache"), **({"tree": tree["root"]} if tree else {})}, answer)
        if refused:
            return {"error": SubmitError.REFUSED, "reason": refused}
    if tree:
        answer["files"] = scan(tree["root"], tree["paths"], lenient=True)
    if request := command.get("request"):
        record_files_before(tree, answer["files"])
        with open(state("inbox", request["run"] + ".new"), "w", encoding="ascii") as file:
            json.dump(request, file)
        os.replace(file.name, state("inbox", request["run"] + ".json"))
        if not _send("request", timeout=_START_SECONDS):
            return {"error": SubmitError.DEAD, "reason": "it reads no requests"}
    return answer


def _apply(command: dict[str, Any], places: dict[str, str], answer: dict[str, Any]) -> str:
    delete = command.get("delete", [])
    try:
        if command.get("archive"):
            stream: IO[bytes] = sys.stdin.buffer
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                answer["changed"] = apply(archive, places, delete)
        else:
            answer["changed"] = apply(None, places, delete)
    except (Refused, tarfile.TarError) as error:
        return str(error)
    return ""


def _take(busy: Lock) -> bool:
    """Take the lock of the running run; kill that run if it is abandoned.

    A host that follows the run shows within a second. `_ABANDONED_SECONDS` without one mean that it was killed.
    """
    if busy.take():
        return True
    run = _running()
    seen = _last_followed(run)
    while time.time() - seen < _ABANDONED_SECONDS:
        time.sleep(0.02)
        if busy.take():
            return True
        if _last_followed(run) != seen:
            return False
    _send(f"kill {run}")
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        if busy.take():
            return True
        time.sleep(0.02)
    return False


def _last_followed(run: str) -> float:
    """Return when a host last followed a run, in seconds since the epoch."""
    try:
        return os.stat(run_path(run, REQUEST_FILE)).st_mtime
    except OSError:
        return 0.0


def _running() -> str:
    for run in sorted(os.listdir(state("runs")), reverse=True):
        if not os.path.exists(run_path(run, EXIT_FILE)):
            return run
    return ""


def interrupt(run: str, *, kill: bool) -> int:
    """Send SIGINT to a run like Ctrl-C in a terminal, or kill it."""
    return 0 if _send(f"{'kill' if kill else 'interrupt'} {run}") else 1


def _send(line: str, timeout: float = 0.0) -> bool:
    """Write a line to the supervisor's pipe; return False if no supervisor reads it within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fd = os.open(state("control"), os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(0.02)
    try:
        os.write(fd, line.encode("ascii") + b"\n")
    finally:
        os.close(fd)
    return True


def _answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def attach(run: str) -> int:
    """Connect this terminal to that of the run, until the debugger finishes."""
    from .debugger_terminal import connect

    return connect(run)
