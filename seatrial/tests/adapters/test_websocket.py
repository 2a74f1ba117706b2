"""The WebSocket client against a fake server: fragments, pings, handshake, closing."""

from __future__ import annotations

import json
import os
import queue
import socket
import threading

import pytest
from seatrial.adapters.websocket import HandshakeRefused, WebSocket
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import StreamBroken

from .fake_api import frame, read_frame

PROTOCOL = "v5.channel.k8s.io"


@pytest.fixture
def connect(kube):
    opened = []

    def connect(**more):
        opened.append(kube.websocket("/exec", (PROTOCOL,), **{"silence": 5, **more}))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def test_receive_joins_fragments_and_answers_pings(api, connect):
    pongs: queue.Queue[tuple[int, bytes]] = queue.Queue()

    def talk(connection):
        connection.sendall(frame(1, b"one ", final=False) + frame(0, b"beat", code=9) + frame(0, b"piece", code=0))
        pongs.put(read_frame(connection))

    api.talk = talk

    assert connect().receive() == b"\x01one piece"
    assert pongs.get(timeout=5) == (0xA, b"beat")


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 300_000])
def test_messages_of_all_sizes_are_sent_and_received(api, connect, size):
    sent, got = os.urandom(size), []

    def talk(connection):
        got.append(read_frame(connection))
        connection.sendall(frame(7, got[0][1]))

    api.talk = talk
    web = connect()
    web.send(sent)

    assert web.receive() == b"\x07" + sent
    assert got == [(0x2, sent)]


def test_receive_without_waiting_returns_an_empty_message(api, connect):
    proceed = threading.Event()

    def talk(connection):
        proceed.wait(5)
        connection.sendall(frame(1, b"late"))
        threading.Event().wait(0.2)

    api.talk = talk
    web = connect()

    assert web.receive(wait=False) == b""
    proceed.set()
    assert web.receive() == b"\x01late"


def test_receive_returns_none_after_a_close_frame(api, connect):
    api.talk = lambda connection: connection.sendall(frame(0, b"\x03\xe8", code=8))

    assert connect().receive() is None


def test_receive_breaks_if_the_server_disconnects(api, connect):
    api.talk = lambda connection: connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(StreamBroken, match="without a close frame"):
        connect().receive()


def test_receive_breaks_after_silence(api, connect, monkeypatch):
    api.talk = lambda _: threading.Event().wait(3)

    with pytest.raises(StreamBroken, match="no data for 0 s"):
        connect(silence=0.01).receive()


def test_close_wakes_the_receiving_thread(api, connect):
    api.talk = lambda _: threading.Event().wait(3)
    web = connect(silence=60)
    threading.Timer(0.1, web.close).start()

    with pytest.raises(StreamBroken):
        web.receive()


def test_handshake_has_the_status_and_body_of_a_refusal(api, connect):
    api.refuse = 403, {"message": "forbidden" * 1000}

    with pytest.raises(HandshakeRefused) as caught:
        connect()
    assert caught.value.status == 403
    assert json.loads(caught.value.body) == {"message": "forbidden" * 1000}


def test_handshake_refuses_a_server_that_did_not_read_the_key(api, kube, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.websocket._GUID", b"other")
    api.talk = lambda _: None

    with pytest.raises(EnvironmentFailed):
        kube.exec("web", "shop").run(["true"], timeout=5)


def test_send_breaks_on_a_closed_socket():
    ours, theirs = socket.socketpair()
    web = WebSocket(ours, silence=1)
    theirs.close()
    web.close()

    with pytest.raises(StreamBroken):
        web.send(b"late")
