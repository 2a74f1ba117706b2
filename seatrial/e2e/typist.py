"""Run a command in a pseudo-terminal, read its screen, and press keys."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

__all__ = ["Typist"]

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>78])")
_SIZE: Final = (40, 120)
"""Lines and columns."""


class Typist:
    """One command in a terminal.

    Attributes:
        shown: the complete output, without escape sequences.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._master, replica = os.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
        self.settings = termios.tcgetattr(self._master)

        def take_terminal() -> None:
            # Otherwise the kernel would not turn Ctrl-C into a signal.
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        # Under nohup or a shell's `&`, SIGINT is ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            argv,
            env={**env, "TERM": "xterm"},
            cwd=cwd,
            stdin=replica,
            stdout=replica,
            stderr=replica,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - the tests have no threads of their own
        )
        os.close(replica)
        self.shown = ""
        self._raw = b""
        self._read_to = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def expect(self, text: str, *, seconds: float = 60) -> str:
        """Wait until a text is shown after the previously expected one; return the output up to it."""
        until = time.monotonic() + seconds
        while (found := self.shown.find(text, self._read_to)) < 0:
            assert time.monotonic() < until, f"{text!r} was not shown:\n{self.shown[self._read_to :]}"
            if not self._read(0.2) and self.process.poll() is not None and not self._read(0):
                raise AssertionError(f"exited before showing {text!r}:\n{self.shown[self._read_to :]}")
        passed = self.shown[self._read_to : found + len(text)]
        self._read_to = found + len(text)
        return passed

    def type(self, keys: str) -> None:
        """Press keys: `\n` is Enter, `\x03` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def ends(self, *, seconds: float = 60) -> int:
        """Wait for the end and return the exit code. The terminal's settings must be restored."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"the command does not exit:\n{self.shown[self._read_to :]}"
            self._read(0.2)
        while self._read(0):
            pass
        assert termios.tcgetattr(self._master) == self.settings, "the terminal's settings are not restored"
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            # Linux reports EIO when the last process has closed the terminal.
            return False
        self._raw += data
        self.shown = _ESCAPES.sub("", self._raw.decode(errors="replace")).replace("\r", "")
        return bool(data)
