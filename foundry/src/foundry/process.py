"""Run programs with output to a log; report the last lines on failure, and kill all of them when foundry stops."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from foundry.errors import CommandFailedError, FoundryError

TAIL_LINES = 12
POLL_SECONDS = 0.1
"""Seconds between two calls of `keep_waiting`."""

_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()
_stopping = threading.Event()


class Run(Protocol):
    """Run a program, log its output and return its standard output. Raises if it fails."""

    def __call__(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str: ...


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | bytes | None = None,
    timeout: float | None = None,
    keep_waiting: Callable[[float], bool] | None = None,
    watch: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, the command, its standard output and its standard error are appended to that file as they arrive. `env`
    extends foundry's own environment. `keep_waiting` gets the seconds since the start, until the program prints its
    first output, and returns whether to keep waiting. `watch` gets each line of standard output, in another thread.

    Raises:
        CommandFailedError: the exit code was not 0; has the last lines of the output.
        FoundryError: the program is not installed, ran longer than `timeout` seconds, or `keep_waiting` was False.
    """
    words = tuple(str(word) for word in argv)
    with contextlib.ExitStack() as stack:
        sink: IO[bytes] | None = None
        if log is not None:
            sink = stack.enter_context(log.open("ab", buffering=0))
            sink.write(f"$ {shlex.join(words)}\n".encode())
        process = _start(words, cwd=cwd, env=env, stdin=stdin, err=sink or subprocess.PIPE)
        readers = [_Reader(process.stdout, sink, watch), *([] if sink else [_Reader(process.stderr, None)])]
        try:
            if isinstance(stdin, bytes) and process.stdin:
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(stdin)
            began = time.monotonic()
            while keep_waiting is not None and not readers[0].has_output.wait(POLL_SECONDS):
                waited = time.monotonic() - began
                if not keep_waiting(waited):
                    raise FoundryError(f"no answer within {waited:.0f} s", shlex.join(words))
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise FoundryError(f"{words[0]} timed out after {timeout:.0f} s", shlex.join(words)) from None
        finally:
            with _live_lock:
                _live.discard(process)
            if process.poll() is None:
                _kill(process)
                process.wait()
            outputs = [reader.join() for reader in readers]
    if process.returncode:
        tail = last_lines(log) if log is not None else _tail(outputs[-1] or outputs[0])
        raise CommandFailedError(words, process.returncode, tail)
    return outputs[0].decode(errors="replace")


class _Reader:
    """Read a pipe to its end in a thread, into memory, a log and a watcher."""

    def __init__(
        self, pipe: IO[bytes] | None, log: IO[bytes] | None, watch: Callable[[str], None] | None = None
    ) -> None:
        self._pipe = pipe
        self._log = log
        self._watch = watch
        self._read: list[bytes] = []
        self.has_output = threading.Event()  # set at the first output, or when the pipe closes
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._pipe:
            with self._pipe:
                rest = b""
                while chunk := self._pipe.read1(1 << 16):  # type: ignore[attr-defined]
                    self._read.append(chunk)
                    self.has_output.set()
                    if self._watch:
                        *lines, rest = (rest + chunk).split(b"\n")
                        for line in lines:
                            self._watch(line.decode(errors="replace"))
                    if self._log:
                        self._log.write(chunk)
        self.has_output.set()

    def join(self) -> bytes:
        """Return the complete output, once the pipe is closed."""
        # A grandchild that stays alive (a daemon) may hold the pipe open.
        self._thread.join(5)
        return b"".join(self._read)


def _start(
    words: tuple[str, ...],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: IO[bytes] | bytes | None,
    err: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    source: IO[bytes] | int = subprocess.DEVNULL
    if isinstance(stdin, bytes):
        source = subprocess.PIPE
    elif stdin is not None:
        source = stdin
    with _live_lock:
        if _stopping.is_set():
            raise FoundryError(f"{words[0]} was not started", "foundry was interrupted")
        try:
            # A new session: Ctrl-C reaches only foundry, which then kills the whole process group.
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **env} if env else None,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=err,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise FoundryError(f"{words[0]} is not installed", f"needed for: {shlex.join(words)}") from None
        except PermissionError as error:
            raise FoundryError(f"{words[0]} failed to start", str(error)) from None
        _live.add(process)
    return process


def stop_all() -> None:
    """Kill every running program and refuse new ones, because foundry is about to exit."""
    _stopping.set()
    with _live_lock:
        for process in _live:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def last_lines(log: Path, count: int = TAIL_LINES) -> str:
    """Return the last lines of a log, without empty lines."""
    with log.open(errors="replace") as lines:
        return "\n".join(line.rstrip() for line in deque((one for one in lines if one.strip()), maxlen=count))


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-TAIL_LINES:])
