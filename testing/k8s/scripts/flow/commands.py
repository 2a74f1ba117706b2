"""Runs programs so that Ctrl-C ends them at once, and none outlives the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from flow.errors import OUT_OF_TIME, CommandFailed, Failure, Interrupted


class Commands:
    """The programs of one run.

    Each has a process group of its own, so that a terminal's Ctrl-C reaches this process only: the handler then kills
    what runs, whoever waits for it sees it end and raises `Interrupted`, and the run unwinds. From `unwind` on, signals
    are noted and nothing is killed, for tidying up must end.

    The handler takes no lock: it runs between any two instructions of the main thread.
    """

    def __init__(self) -> None:
        self._live: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._unwinding = False
        self.signal: int | None = None

    def handle_signals(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP end the run in order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again = self.signal is not None or self._unwinding
        self.signal = self.signal or number
        if not self._unwinding:
            self.stop()
        with contextlib.suppress(OSError):  # a terminal that was closed sends SIGHUP, and can't be written to
            os.write(2, b"\nstill tidying up\n" if again else b"\ninterrupted; tidying up\n")

    def stop(self) -> None:
        """Kill what runs and let nothing start: whoever waits for a program, or wants to, gets `Interrupted`."""
        self._stopped = True
        for process in tuple(self._live):
            _kill(process)

    def unwind(self) -> None:
        """From now on programs run again, whatever stopped the others: those that tidy up."""
        self._unwinding = True

    def check(self) -> None:
        """Raise `Interrupted` if the run was stopped and tidying up has not begun."""
        if self._stopped and not self._unwinding:
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Sleep; raise `Interrupted` afterwards if a signal came. Keep it below a second."""
        self.check()
        time.sleep(seconds)
        self.check()

    @contextlib.contextmanager
    def started(self, argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Yield the running program, killed at the end if it still runs."""
        self.check()
        process = subprocess.Popen(argv, start_new_session=True, **options)
        self._live.add(process)
        try:
            self.check()
            yield process
        finally:
            if process.poll() is None:
                _kill(process)
            process.wait()
            self._live.discard(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def run(
        self, argv: Sequence[str], *, seconds: float = 60, stdin: bytes | None = None, log: Path | None = None
    ) -> str:
        """As `output`, but text."""
        return self.output(argv, seconds=seconds, stdin=stdin, log=log).decode(errors="replace")

    def output(
        self, argv: Sequence[str], *, seconds: float = 60, stdin: bytes | None = None, log: Path | None = None
    ) -> bytes:
        """Run a program to its end and return its standard output (empty if it went to `log`, with the errors).

        Raises:
            CommandFailed: it ended with an error.
            Failure: it is not there, or took longer than `seconds` (then it was killed).
            Interrupted: a signal came.
        """
        try:
            with contextlib.ExitStack() as stack:
                out: IO[bytes] | int = subprocess.PIPE
                if log is not None:
                    out = stack.enter_context(log.open("ab"))
                process = stack.enter_context(
                    self.started(
                        argv,
                        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                        stdout=out,
                        stderr=subprocess.PIPE if log is None else subprocess.STDOUT,
                    )
                )
                stdout, stderr = process.communicate(stdin, timeout=seconds)
                status = process.returncode
        except FileNotFoundError:
            raise Failure(f"{argv[0]} is not on PATH", hint="make setup", code=4) from None
        except subprocess.TimeoutExpired:
            raise Failure(
                f"`{' '.join(argv[:4])}` was not done after {seconds:g} s", why=last_lines(log), code=OUT_OF_TIME
            ) from None
        self.check()
        if status != 0:
            text = stderr.decode(errors="replace").strip() if log is None else last_lines(log)
            raise CommandFailed(argv, status, text)
        return stdout or b""

    def stream(self, argv: Sequence[str], each: Callable[[bytes], None], *, seconds: float) -> int:
        """Run a program, hand on its output (errors too) as it comes, and return its status; -9 after `seconds`."""
        with self.started(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            clock = threading.Timer(seconds, _kill, [process])
            clock.start()
            try:
                assert process.stdout is not None  # noqa: S101
                while chunk := os.read(process.stdout.fileno(), 65536):
                    each(chunk)
                status: int = process.wait()
            finally:
                clock.cancel()
        self.check()
        return status


def last_lines(log: Path | None, count: int = 15) -> str:
    """Return the end of a log file; empty if there is none."""
    if log is None or not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def say(text: str) -> None:
    """Print a line of progress; standard output is pytest's. Nobody reading any more is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
