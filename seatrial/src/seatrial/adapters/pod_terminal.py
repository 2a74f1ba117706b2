"""Connect the terminal of this process to a command in a pod."""

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

__all__ = ["attach_terminal"]

_STDIN, _STDOUT, _STATUS, _RESIZE = 0, 1, 3, 4
_POLL: Final = 0.2


def attach_terminal(web: WebSocket) -> bytes:
    """Copy between the terminal of this process and that of a command; return the final Status of the command.

    Keys are sent one by one. Ctrl-C is sent to the command and does not interrupt this process.

    Raises:
        StreamBroken: the connection was lost.
    """
    finished = threading.Event()
    with _raw(sys.stdin.fileno()), _resizing(web):
        keys = threading.Thread(target=_send_keys, args=(web, finished), daemon=True)
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
            finished.set()
            keys.join()
    raise StreamBroken("the command's exit status was lost")


def _send_keys(web: WebSocket, finished: threading.Event) -> None:
    stdin = sys.stdin.fileno()
    try:
        while not finished.is_set():
            # select() first: a blocking read() would consume a key that belongs to the next program.
            if select.select([stdin], [], [], _POLL)[0] and not finished.is_set():
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
    def send_size(*_: object) -> None:
        columns, lines = shutil.get_terminal_size()
        web.send(bytes((_RESIZE,)) + json.dumps({"Width": columns, "Height": lines}).encode())

    before = signal.signal(signal.SIGWINCH, send_size)
    send_size()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
