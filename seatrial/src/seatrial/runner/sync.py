"""Compare the pod's files with the working tree, send what differs, and prove that both are equal."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from seatrial.image_inputs.delta import Delta, check_size
from seatrial.image_inputs.working_tree import Entry, Files, Tree, digest, entries, packages, shown
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.result import TreeProof
from seatrial.model.text import safe_line
from seatrial.pod.agent.wire import AGENT_ENTRY, SubmitError
from seatrial.ports import PodExec, Started, StreamBroken
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.archive import read_tree_below
from seatrial.runner.decoder import Answer, Malformed, decode_answer, decode_log
from seatrial.runner.request import Request

__all__ = ["ChangedMeanwhile", "PodDiffers", "PodFiles", "Submitted", "pod_files", "submit"]

_TIMEOUT: Final = 60.0
_CACHE_LIMIT: Final = 20 << 20
_LAST_WORDS: Final = 4096
"""Bytes at the end of the agent's stderr; an error shows the last line."""


class ChangedMeanwhile(EnvironmentFailed):
    """A file changed after the comparison; compare again."""


class PodDiffers(EnvironmentFailed):
    """The pod's files are not those that the delta was planned for. Nothing was changed there, and nothing runs.

    Attributes:
        files: the pod's files.
    """

    def __init__(self, files: Files) -> None:
        super().__init__("files in the runner pod change while they are being compared", hint="run again")
        self.files = files


class Submitted(NamedTuple):
    """A started run.

    Attributes:
        files: the pod's files below the compared paths.
        proof: the digests of both sides; None if files were not compared.
    """

    files: Files
    proof: TreeProof | None


class PodFiles(NamedTuple):
    """The pod's files below some paths.

    Attributes:
        files: the files.
        seeded: the files that its image had there.
        created: paths that were never in the working tree: tests created them.
    """

    files: Files
    seeded: Files
    created: Collection[str] = ()


def pod_files(
    exec_: PodExec, directory: str, paths: Sequence[str], *, python: str = "python3", entry: str = AGENT_ENTRY
) -> PodFiles:
    """Return the pod's files below `paths` of `directory`.

    Raises:
        EnvironmentFailed: the agent does not answer.
    """
    asked = json.dumps({"root": directory, "paths": list(paths)}).encode() + b"\n"
    argv = agent_argv("manifest", python=python, entry=entry)
    answer = _answer(exec_, argv, asked)
    return PodFiles(entries(answer.files), entries(answer.seeded))


def submit(exec_: PodExec, request: Request, started: Started | None = None) -> Submitted:
    """Send the delta, take the digests of both sides, and start the run.

    Args:
        exec_: commands in the pod.
        request: what to run.
        started: a waiting `submit` command of the agent; None: start one.

    Raises:
        PodDiffers: the pod's files are not those that the delta was planned for.
        ChangedMeanwhile: a file changed after the delta was planned.
        EnvironmentFailed: the agent cannot write the files, or another run uses the pod.
    """
    tree, delta = request.tree, request.delta
    cache = _cache(request.root) if request.cache and not request.informational else {}
    wanted: dict[str, Any] = {
        "tree": {"root": request.directory, "paths": list(tree.places), "expect": request.expect} if tree else None,
        "delete": [f"tree/{path}" for path in delta.delete] if delta else [],
        "cache": request.cache,
        "archive": bool(cache or (delta and delta.send)),
        "request": {
            "run": request.run,
            "argv": list(request.argv),
            "cwd": request.directory,
            "env": dict(request.env),
            "artifacts": list(request.artifacts),
            "terminal": request.interactive,
            "junit": request.junit is not None,
            "color": request.color,
            "width": request.width,
            "imports": packages(tree.modules) if tree else [],
            "fixtures": request.fixtures,
            "unsure": [asdict(each) for each in request.unsure],
            "paths_given": request.paths_given,
            "reports": list(request.reports),
        },
    }
    stdin = json.dumps(wanted).encode() + b"\n"
    if wanted["archive"]:
        stdin += _archive(tree, delta, cache)
    argv = agent_argv("submit", python=request.python, entry=request.entry)
    answer = _answer(exec_, argv, stdin, started)
    if tree is None:
        return Submitted({}, None)
    files = entries(answer.files)
    kept = delta.kept if delta else ()
    proof = TreeProof(
        host=digest(tree.files),
        pod=digest(tree.seen(files, kept)),
        files=len(tree.files),
        kept=tuple(safe_line(shown(path)) for path in kept if path in files and files[path].kind == "f"),
    )
    return Submitted(files, proof)


def _answer(exec_: PodExec, argv: Sequence[str], stdin: bytes, started: Started | None = None) -> Answer:
    try:
        done = started.finish(stdin) if started else exec_.run(argv, stdin=stdin, container="tests", timeout=_TIMEOUT)
    except StreamBroken as broken:
        raise EnvironmentFailed(
            "the connection to the runner pod was cut before it answered", reason=str(broken), hint="run again"
        ) from broken
    try:
        answer = decode_answer(done.stdout)
    except Malformed as malformed:
        last = decode_log(done.stderr[-_LAST_WORDS:]).strip().rsplit("\n", 1)[-1]
        raise EnvironmentFailed(
            "the agent in the runner pod does not answer",
            reason=last or (str(malformed) if done.stdout.strip() else f"exit code {done.code}"),
        ) from None
    error, reason = answer.error, answer.reason
    if error == SubmitError.DIFFERS:
        raise PodDiffers(entries(answer.files))
    if error == SubmitError.BUSY:
        raise EnvironmentFailed(
            f"the runner pod is in use by run {reason}", reason="another terminal started that run",
            hint="wait for it, or end it there with Ctrl-C",
        )  # fmt: skip
    if error == SubmitError.DEAD:
        raise EnvironmentFailed("the supervisor in the runner pod has died", reason=reason)
    if error:
        raise EnvironmentFailed("the changed files cannot be written in the runner pod", reason=reason)
    return answer


def _archive(tree: Tree | None, delta: Delta | None, cache: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in cache.items():
            _add(archive, f"cache/{name}", content)
        if tree is not None and delta is not None:
            check_size(tree.files, delta)
            for path in delta.send:
                _add_entry(archive, tree.root, path, tree.files[path])
    return target.getvalue()


def _add_entry(archive: tarfile.TarFile, root: Path, path: str, entry: Entry) -> None:
    source = root / path
    try:
        if entry.kind == "d":
            member = tarfile.TarInfo(f"tree/{path}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
            return
        if entry.kind == "l":
            member = tarfile.TarInfo(f"tree/{path}")
            member.type, member.linkname = tarfile.SYMTYPE, entry.content
            archive.addfile(member)
            return
        content = source.read_bytes()
    except OSError as error:
        raise ChangedMeanwhile(f"{shown(path)} cannot be read", reason=str(error.strerror)) from error
    if hashlib.sha256(content).hexdigest() != entry.content:
        raise ChangedMeanwhile(f"{shown(path)} changed while it was being sent", hint="run again")
    _add(archive, f"tree/{path}", content, entry.mode & 0o777)


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _cache(root: Path) -> dict[str, bytes]:
    """Return pytest's cache of the host, which --lf and --ff use. Links in it are not followed."""
    return read_tree_below(root / ".pytest_cache", limit=_CACHE_LIMIT) or {}
