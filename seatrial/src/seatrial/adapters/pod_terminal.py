"""The user's terminal, connected to a command in a pod."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from seatrial.adapters.websocket import WebSocket
from seatrial.model.text import TerminalFilter
from seatrial.ports import StreamBroken

__all__ = ["bridge"]

_STDIN, _STDOUT, _STATUS, _RESIZE = 0, 1, 3, 4
_POLL: Final = 0.2


def bridge(web: WebSocket) -> bytes:
    """Copy between this process's terminal and a command with one of its own; return the Status that it ended with.

    Keys go over one by one, Ctrl-C among them: it is the command's business.

    Raises:
        StreamBroken: the connection was cut.
    """
    over = threading.Event()
    with _raw(sys.stdin.fileno()), _resizing(web):
        keys = threading.Thread(target=_send_keys, args=(web, over), daemon=True)
        keys.start()
        screen = TerminalFilter()
        try:
            while (message := web.receive()) is not None:
                if message[0] == _STDOUT:
                    sys.stdout.buffer.write(screen.feed(message[1:]))
                    sys.stdout.buffer.flush()
                elif message[0] == _STATUS:
                    return message[1:]
        finally:
            over.set()
            keys.join()
    raise StreamBroken("the terminal's stream ended without the command's exit code")


def _send_keys(web: WebSocket, over: threading.Event) -> None:
    stdin = sys.stdin.fileno()
    try:
        while not over.is_set():
            # Not read() alone: it would take a key that is meant for what comes after us.
            if select.select([stdin], [], [], _POLL)[0] and not over.is_set():
                web.send(bytes((_STDIN,)) + os.read(stdin, 1024))
    except (StreamBroken, OSError):
        return


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _resizing(web: WebSocket) -> Iterator[None]:
    def tell(*_: object) -> None:
        columns, lines = shutil.get_terminal_size()
        web.send(bytes((_RESIZE,)) + json.dumps({"Width": columns, "Height": lines}).encode())

    before = signal.signal(signal.SIGWINCH, tell)
    tell()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
