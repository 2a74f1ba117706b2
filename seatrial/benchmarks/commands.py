"""Run programs with timing; each line of output has a timestamp."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Done", "Failed", "Line", "Shell", "following", "until"]

_TAIL = 15
_GRACE = 20.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a program's output and its time, in seconds since the epoch."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A finished program. `began` and `ended` are seconds since the epoch."""

    argv: tuple[str, ...]
    code: int
    out: tuple[Line, ...]
    err: tuple[Line, ...]
    began: float
    ended: float
    seconds: float

    @property
    def text(self) -> str:
        """The complete stdout."""
        return "\n".join(line.text for line in self.out)

    @property
    def said(self) -> str:
        """The complete stderr."""
        return "\n".join(line.text for line in self.err)


class Failed(Exception):
    """A program did not do what the measurement requires, so there is no result."""

    def __init__(self, done: Done, wanted: str) -> None:
        written = [line.text for line in sorted((*done.out, *done.err), key=lambda line: line.at)]
        tail = "\n".join(f"  {text}" for text in written[-_TAIL:])
        super().__init__(f"{shlex.join(done.argv)} exited with {done.code}, expected: {wanted}\n{tail}")


@dataclass(frozen=True, slots=True)
class Shell:
    """The directory and environment in which programs run.

    Attributes:
        cwd: working directory.
        env: the complete environment.
    """

    cwd: Path
    env: Mapping[str, str]

    def run(self, *argv: str, seconds: float = 900.0, codes: Sequence[int] = (0,)) -> Done:
        """Run a program to its end.

        Args:
            argv: program and arguments.
            seconds: timeout.
            codes: exit codes that count as success; empty: all.

        Raises:
            Failed: the program exited with another code or timed out.
        """
        began, clock = time.time(), time.monotonic()
        process = self._start(argv)
        lines: dict[str, list[Line]] = {"out": [], "err": []}
        readers = [
            threading.Thread(target=_read, args=(stream, lines[name]), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for reader in readers:
            reader.start()
        # wait(timeout=…) polls with delays of up to 50 ms.
        late = threading.Timer(seconds, process.terminate)
        late.start()
        try:
            process.wait()
            took, ended = time.monotonic() - clock, time.time()
        except BaseException:
            _end(process)
            raise
        finally:
            late.cancel()
        for reader in readers:
            reader.join(_GRACE)
        done = Done(argv, process.returncode, tuple(lines["out"]), tuple(lines["err"]), began, ended, took)
        if codes and done.code not in codes:
            raise Failed(done, f"exit code {' or '.join(map(str, codes))}")
        return done

    @contextmanager
    def start(self, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program in the background of the block; stop it at the end."""
        process = self._start(argv)
        try:
            yield process
        finally:
            _end(process)

    def _start(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(argv, cwd=self.cwd, env=dict(self.env), stdin=null, stdout=pipe, stderr=pipe)


@contextmanager
def following(shell: Shell, *argv: str) -> Iterator[list[Line]]:
    """Yield the growing list of a program's stdout lines for the duration of the block."""
    with shell.start(*argv) as process:
        lines: list[Line] = []
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        # An unread full pipe would block the program.
        threading.Thread(target=_read, args=(process.stderr, []), daemon=True).start()
        yield lines


def until(lines: list[Line], words: tuple[str, ...], *, since: float, seconds: float = 60.0) -> Line:
    """Return the first line after a moment that contains one of the words, as soon as it appears.

    Raises:
        TimeoutError: no such line appeared in time.
    """
    end = time.monotonic() + seconds
    while True:
        for line in list(lines):
            if line.at >= since and any(word in line.text for word in words):
                return line
        if time.monotonic() > end:
            raise TimeoutError(f"none of {', '.join(words)} appeared within {seconds:.0f} s")
        time.sleep(0.05)


def _read(stream: IO[bytes] | None, lines: list[Line]) -> None:
    assert stream is not None
    with stream:
        # One by one, because other threads read the list while it grows.
        lines.extend(Line(time.time(), raw.decode(errors="replace").rstrip("\r\n")) for raw in stream)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
