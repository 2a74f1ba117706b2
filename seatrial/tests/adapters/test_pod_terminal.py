"""A terminal of this process connected to a command in a pod. The terminal is a pseudo-terminal."""

from __future__ import annotations

import io
import json
import os
import queue
import shutil
import signal
import termios
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from seatrial.adapters import pod_terminal
from seatrial.adapters.pod_terminal import attach_terminal
from seatrial.ports import StreamBroken

STDIN, STDOUT, STATUS, RESIZE = b"\0", b"\1", b"\3", b"\4"


class Web:
    """Messages of the server come from a queue; sent messages are recorded."""

    def __init__(self) -> None:
        self.messages: queue.Queue[bytes | Exception | None] = queue.Queue()
        self.sent: list[bytes] = []
        self.broken = False

    def receive(self) -> bytes | None:
        message = self.messages.get(timeout=10)
        if isinstance(message, Exception):
            raise message
        return message

    def send(self, data: bytes) -> None:
        if self.broken:
            raise StreamBroken("lost")
        self.sent.append(data)

    def keys(self) -> bytes:
        return b"".join(each[1:] for each in self.sent if each[:1] == STDIN)


class Terminal:
    """A pseudo-terminal as stdin and a buffer as stdout."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.master, self.replica = os.openpty()
        self.shown = io.BytesIO()
        self.monkeypatch = monkeypatch

    def attach(self, web: Web) -> bytes:
        # pytest replaces both between the phases of a test.
        with self.monkeypatch.context() as patch:
            patch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: self.replica))
            patch.setattr("sys.stdout", SimpleNamespace(buffer=self.shown))
            return attach_terminal(web)  # type: ignore[arg-type]

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.replica)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setattr(pod_terminal, "_POLL", 0.02)
    made = Terminal(monkeypatch)
    yield made
    os.close(made.master)
    os.close(made.replica)


@pytest.fixture
def web() -> Web:
    return Web()


def wait_for(condition: object) -> None:
    end = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_output_is_shown_and_the_status_returned(terminal: Terminal, web: Web) -> None:
    for message in (STDOUT + b"hello ", STDOUT + b"world", b"\2ignored", STATUS + b'{"status":"Success"}'):
        web.messages.put(message)

    assert terminal.attach(web) == b'{"status":"Success"}'
    assert terminal.shown.getvalue() == b"hello world"


def test_terminal_is_raw_during_the_command_and_restored_after_it(terminal: Terminal, web: Web) -> None:
    before = terminal.modes()
    during: list[list[object]] = []

    def finish() -> None:
        wait_for(lambda: web.sent)
        during.append(terminal.modes())
        web.messages.put(STATUS)

    thread = threading.Thread(target=finish)
    thread.start()
    terminal.attach(web)
    thread.join()

    assert not int(str(during[0][3])) & (termios.ISIG | termios.ECHO | termios.ICANON)
    assert terminal.modes() == before


def test_keys_are_sent_including_ctrl_c(terminal: Terminal, web: Web) -> None:
    def type_() -> None:
        wait_for(lambda: web.sent)
        os.write(terminal.master, b"ls\r\x03")
        wait_for(lambda: web.keys().endswith(b"\x03"))
        web.messages.put(STATUS)

    thread = threading.Thread(target=type_)
    thread.start()
    terminal.attach(web)
    thread.join()

    assert web.keys() == b"ls\r\x03"


def test_keys_after_the_end_belong_to_the_next_program(terminal: Terminal, web: Web) -> None:
    web.messages.put(STATUS)
    terminal.attach(web)
    os.write(terminal.master, b"next\r")

    assert os.read(terminal.replica, 10) == b"next\n"
    assert web.keys() == b""


def test_size_is_sent_at_the_start_and_after_each_change(
    terminal: Terminal, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter([(80, 24), (100, 30)])
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: next(sizes))
    handler = signal.getsignal(signal.SIGWINCH)

    def resize() -> None:
        wait_for(lambda: web.sent)
        os.kill(os.getpid(), signal.SIGWINCH)
        web.messages.put(STDOUT)
        wait_for(lambda: len(web.sent) > 1)
        web.messages.put(STATUS)

    thread = threading.Thread(target=resize)
    thread.start()
    terminal.attach(web)
    thread.join()

    assert [json.loads(each[1:]) for each in web.sent if each[:1] == RESIZE] == [
        {"Width": 80, "Height": 24}, {"Width": 100, "Height": 30},
    ]  # fmt: skip
    assert signal.getsignal(signal.SIGWINCH) == handler


@pytest.mark.parametrize("end", [None, StreamBroken("lost")])
def test_lost_connection_is_an_error_and_restores_the_terminal(
    terminal: Terminal, web: Web, end: Exception | None
) -> None:
    before = terminal.modes()
    web.messages.put(STDOUT + b"half")
    web.messages.put(end)

    with pytest.raises(StreamBroken):
        terminal.attach(web)
    assert terminal.modes() == before
    assert terminal.shown.getvalue() == b"half"


def test_keys_on_a_lost_connection_are_dropped(terminal: Terminal, web: Web) -> None:
    def lose() -> None:
        wait_for(lambda: web.sent)
        web.broken = True
        os.write(terminal.master, b"x")
        wait_for(lambda: not any(thread.name.endswith("(_send_keys)") for thread in threading.enumerate()))
        web.messages.put(None)

    thread = threading.Thread(target=lose)
    thread.start()
    with pytest.raises(StreamBroken, match="exit status was lost"):
        terminal.attach(web)
    thread.join()

    assert web.keys() == b""
