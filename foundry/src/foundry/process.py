"""Run programs: output into a log, the last lines into the error, and none left behind when foundry is stopped."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from foundry.errors import CommandFailedError, FoundryError

TAIL_LINES = 12

_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()
_stopping = threading.Event()


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | bytes | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, standard output and error are appended there as they come; without, they are held in memory.
    `env` is added to foundry's own environment.

    Raises:
        CommandFailedError: the status was not 0; carries the last lines.
        FoundryError: the program does not exist, or took longer than `timeout` seconds.
    """
    words = tuple(str(word) for word in argv)
    with contextlib.ExitStack() as stack:
        if log is None:
            out: IO[bytes] | int = subprocess.PIPE
            err: IO[bytes] | int = subprocess.PIPE
        else:
            handle = stack.enter_context(log.open("ab"))
            handle.write(f"$ {shlex.join(words)}\n".encode())
            handle.flush()
            out, err = subprocess.PIPE, handle
        process = _start(words, cwd=cwd, env=env, stdin=stdin, out=out, err=err)
        try:
            stdout, stderr = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise FoundryError(f"{words[0]} did not end within {timeout:.0f} s", shlex.join(words)) from None
        finally:
            with _live_lock:
                _live.discard(process)
            if process.poll() is None:
                _kill(process)
        if log is not None:
            handle.write(stdout)
    if process.returncode:
        tail = last_lines(log) if log is not None else _tail(stderr or stdout)
        raise CommandFailedError(words, process.returncode, tail)
    return str(stdout.decode(errors="replace"))


def _start(
    words: tuple[str, ...],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: IO[bytes] | bytes | None,
    out: IO[bytes] | int,
    err: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    source: IO[bytes] | int = subprocess.DEVNULL
    if isinstance(stdin, bytes):
        source = subprocess.PIPE
    elif stdin is not None:
        source = stdin
    with _live_lock:
        if _stopping.is_set():
            raise KeyboardInterrupt
        try:
            # A session of its own: Ctrl-C reaches foundry alone, which then ends the whole group, grandchildren too.
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **env} if env else None,
                stdin=source,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise FoundryError(f"{words[0]} is not installed", f"needed for: {shlex.join(words)}") from None
        _live.add(process)
    return process


def stop_all() -> None:
    """End every running program and refuse new ones: foundry itself is about to end."""
    _stopping.set()
    with _live_lock:
        for process in _live:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def last_lines(log: Path, count: int = TAIL_LINES) -> str:
    """The end of a log, without the commands' echo after the last one."""
    with log.open(errors="replace") as lines:
        return "\n".join(line.rstrip() for line in deque((one for one in lines if one.strip()), maxlen=count))


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-TAIL_LINES:])
