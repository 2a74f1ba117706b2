"""Connect the terminal of this process to the debugger of a run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import time
import tty

from .state_files import run_path, state
from .wire import DEBUGGER_FILE, EXIT_FILE

__all__ = ["connect"]

_INTERRUPT = b"\x03"
_POLL = 0.1
_WAKE = 0.1


def connect(run: str) -> int:
    """Copy bytes in both directions until the debugger finishes: then the plugin deletes the file `debugger`."""
    master = _fetch_master()
    if master < 0:
        sys.stderr.write("this run has no terminal\n")
        return 1
    before = termios.tcgetattr(0) if os.isatty(0) else None
    if before is not None:
        tty.setraw(0)
        _resize(master)
        signal.signal(signal.SIGWINCH, lambda *_: _resize(master))
    try:
        _copy(master, run)
    finally:
        if before is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
    return 0


def _fetch_master() -> int:
    """Request the master side of the run's pseudo-terminal from the supervisor; return -1 without a terminal."""
    connection = socket.socket(socket.AF_UNIX)
    os.chdir(state())
    try:
        connection.connect("terminal")
        _, fds, _, _ = socket.recv_fds(connection, 1, 1)
    except OSError:
        return -1
    finally:
        connection.close()
    return fds[0] if fds else -1


def _resize(master: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0)))


def _copy(master: int, run: str) -> None:
    sources = [0, master]
    while True:
        readable, _, _ = select.select(sources, [], [], _POLL)
        if master in readable:
            try:
                _write(1, os.read(master, 1 << 16))
            except OSError:
                return
            continue
        if not os.path.exists(run_path(run, DEBUGGER_FILE)) or os.path.exists(run_path(run, EXIT_FILE)):
            return
        if 0 in readable:
            data = os.read(0, 1 << 12)
            if not data:
                sources.remove(0)
                data = b"\x04"
            typed, *after_interrupts = data.split(_INTERRUPT)
            _write(master, typed)
            for typed in after_interrupts:
                _interrupt(run)
                _write(master, typed)


def _interrupt(run: str) -> None:
    """Send SIGINT to the process in the debugger only, as its own terminal would.

    A signal that arrives after readline shows its prompt and before it waits for input has no effect until the next
    key. Another signal ends that wait, and Python then handles the first one.
    """
    with contextlib.suppress(OSError, ValueError), open(run_path(run, DEBUGGER_FILE), encoding="ascii") as file:
        pid = int(file.read())
        os.kill(pid, signal.SIGINT)
        time.sleep(_WAKE)
        os.kill(pid, signal.SIGWINCH)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
