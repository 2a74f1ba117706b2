"""Run programs: output into a log, the last lines into the error, and none left behind when foundry is stopped."""

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
LOOK = 0.1
"""Seconds between two questions whether to wait on."""

_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()
_stopping = threading.Event()


class Run(Protocol):
    """Runs a program, logs it, returns its standard output, raises when it fails."""

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
    patience: Callable[[float], bool] | None = None,
    watch: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    With `log`, the command, its standard output and its standard error are appended there as they come. `env` is added
    to foundry's own environment. While the program has printed nothing on standard output, `patience` is asked with the
    seconds since the start whether to wait on. `watch` gets each line of standard output, in another thread.

    Raises:
        CommandFailedError: the status was not 0; carries the last lines.
        FoundryError: the program does not exist, took longer than `timeout` seconds, or `patience` was over.
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
            while patience is not None and not readers[0].spoke.wait(LOOK):
                waited = time.monotonic() - began
                if not patience(waited):
                    raise FoundryError(f"no answer within {waited:.0f} s", shlex.join(words))
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise FoundryError(f"{words[0]} did not end within {timeout:.0f} s", shlex.join(words)) from None
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
    """Reads a pipe to its end in a thread, into memory, into a log and to a watcher."""

    def __init__(
        self, pipe: IO[bytes] | None, log: IO[bytes] | None, watch: Callable[[str], None] | None = None
    ) -> None:
        self._pipe = pipe
        self._log = log
        self._watch = watch
        self._read: list[bytes] = []
        self.spoke = threading.Event()  # something was read, or the pipe is closed
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._pipe:
            with self._pipe:
                rest = b""
                while chunk := self._pipe.read1(1 << 16):  # type: ignore[attr-defined]
                    self._read.append(chunk)
                    self.spoke.set()
                    if self._watch:
                        *lines, rest = (rest + chunk).split(b"\n")
                        for line in lines:
                            self._watch(line.decode(errors="replace"))
                    if self._log:
                        self._log.write(chunk)
        self.spoke.set()

    def join(self) -> bytes:
        """All that was read, once the pipe is closed."""
        # A grandchild that lives on (a daemon) may hold the pipe open: do not wait for it.
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
            # A session of its own: Ctrl-C reaches foundry alone, which then ends the whole group, grandchildren too.
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
            raise FoundryError(f"{words[0]} cannot be run", str(error)) from None
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
    """The end of a log, empty lines left out."""
    with log.open(errors="replace") as lines:
        return "\n".join(line.rstrip() for line in deque((one for one in lines if one.strip()), maxlen=count))


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-TAIL_LINES:])
