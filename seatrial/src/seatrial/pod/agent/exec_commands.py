"""Commands that come by exec into container `tests`: submit, interrupt, attach, manifest."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tarfile
import time
from typing import IO, Any

from .changes import note_begin
from .file_tree import Refused, apply, digest, scan
from .state_files import Lock, run_path, state
from .wire import EXIT_FILE, SubmitError

__all__ = ["attach", "interrupt", "manifest", "submit"]

_UNWATCHED = 5.0
"""Seconds without a tail after which a run belongs to nobody: its host is gone, and the next one may end it."""
_PATIENCE = 5.0
_START = 5.0
"""Seconds that a container which has just started may take until its supervisor reads."""


def manifest() -> int:
    """Read `{"root", "paths"}`, print what files there are, and which the image had there when the pod began."""
    asked = json.loads(sys.stdin.buffer.readline())
    seeded: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError), open(state("seed.json"), encoding="ascii") as file:
        seeded = json.load(file)
    _answer({"files": scan(asked["root"], asked["paths"], lenient=True), "seeded": seeded})
    return 0


def submit() -> int:
    """Change the tree, tell what it is now, and start a run, in one step that no other run can come between.

    stdin: a line of JSON, `{"tree": {"root", "paths", "expect"} or null, "delete": […], "cache": bool, "archive": bool,
    "request": {…} or null}`, then a tar if `archive`. Members and deletions are named `tree/PATH` or `cache/PATH`;
    `cache` empties pytest's cache first. Prints a line of JSON: `{"files": {…}, "changed": N}` or
    `{"error", "reason"}`.
    A tree that is not what is expected stays as it is, and nothing runs: `{"error": "differs", "files": {…}}`.
    It may be started long before it is needed, or for nothing: without a line it does nothing.
    """
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    asked = json.loads(line)
    busy = Lock(state("busy"))
    if not _take(busy):
        answer = {"error": SubmitError.BUSY, "reason": _running()}
    else:
        try:
            answer = _change(asked)
        except OSError as error:
            reason = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
            answer = {"error": SubmitError.OS, "reason": reason}
        finally:
            busy.release()
    # To the end, whatever came of it: an exec whose command leaves more than a pipe of its input unread never ends.
    while sys.stdin.buffer.read(1 << 20):
        pass
    _answer(answer)
    return 0


def _change(asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"files": {}, "changed": 0}
    tree = asked.get("tree")
    if tree and tree.get("expect"):
        answer["files"] = scan(tree["root"], tree["paths"], lenient=True)
        if digest(answer["files"]) != tree["expect"]:
            return {"error": SubmitError.DIFFERS, "files": answer["files"]}
    if asked.get("cache"):
        shutil.rmtree(state("cache"), ignore_errors=True)
        os.makedirs(state("cache"))
    if asked.get("archive") or asked.get("delete"):
        refused = _apply(asked, {"cache": state("cache"), **({"tree": tree["root"]} if tree else {})}, answer)
        if refused:
            return {"error": SubmitError.REFUSED, "reason": refused}
    if tree:
        answer["files"] = scan(tree["root"], tree["paths"], lenient=True)
    if request := asked.get("request"):
        note_begin(tree, answer["files"])
        with open(state("inbox", request["run"] + ".new"), "w", encoding="ascii") as file:
            json.dump(request, file)
        os.replace(file.name, state("inbox", request["run"] + ".json"))
        if not _tell("request", patience=_START):
            return {"error": SubmitError.DEAD, "reason": "nobody reads requests"}
    return answer


def _apply(asked: dict[str, Any], places: dict[str, str], answer: dict[str, Any]) -> str:
    delete = asked.get("delete", [])
    try:
        if asked.get("archive"):
            stream: IO[bytes] = sys.stdin.buffer
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                answer["changed"] = apply(archive, places, delete)
        else:
            answer["changed"] = apply(None, places, delete)
    except (Refused, tarfile.TarError) as error:
        return str(error)
    return ""


def _take(busy: Lock) -> bool:
    """Take the lock that a run holds; end a run that nobody watches any more.

    Its host may just have been killed: whether somebody watches shows within a second, that nobody does takes longer.
    """
    if busy.take():
        return True
    run = _running()
    seen = _watched(run)
    while time.time() - seen < _UNWATCHED:
        time.sleep(0.02)
        if busy.take():
            return True
        if _watched(run) != seen:
            return False
    _tell(f"kill {run}")
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if busy.take():
            return True
        time.sleep(0.02)
    return False


def _watched(run: str) -> float:
    """Return when somebody last said that they watch a run."""
    try:
        return os.stat(run_path(run, "request.json")).st_mtime
    except OSError:
        return 0.0


def _running() -> str:
    for run in sorted(os.listdir(state("runs")), reverse=True):
        if not os.path.exists(run_path(run, EXIT_FILE)):
            return run
    return ""


def interrupt(run: str, *, kill: bool) -> int:
    """Do to the run what Ctrl-C does in a terminal, or end it at once."""
    return 0 if _tell(f"{'kill' if kill else 'interrupt'} {run}") else 1


def _tell(line: str, patience: float = 0.0) -> bool:
    """Write a line into the supervisor's pipe; return whether there is one that reads, within `patience` seconds."""
    deadline = time.monotonic() + patience
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
    """Copy between this terminal and the one of the run, until the debugger lets go."""
    from .debugger_terminal import bridge

    return bridge(run)
