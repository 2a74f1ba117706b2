"""One tunnel to a pod: streams, errors of the kubelet, lost connections. The WebSocket is a queue."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from seatrial.adapters.port_forward.spdy import Frame, Frames, data_frame, pong, reset
from seatrial.adapters.port_forward.tunnel import Stream, Tunnel, reset_connection
from seatrial.ports import StreamBroken


class Web:
    """Messages of the server come from a queue; sent frames are recorded."""

    def __init__(self) -> None:
        self.messages: queue.Queue[bytes | Exception | None] = queue.Queue()
        self.sent = bytearray()
        self.closed = threading.Event()

    def receive(self) -> bytes | None:
        message = self.messages.get(timeout=10)
        if isinstance(message, Exception):
            raise message
        return message

    def send(self, data: bytes) -> None:
        if self.closed.is_set():
            raise StreamBroken("closed")
        self.sent += data

    def close(self) -> None:
        self.closed.set()
        self.messages.put(StreamBroken("closed"))

    def frames(self) -> list[Frame]:
        return list(Frames().feed(bytes(self.sent)))


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def tunnel(web: Web) -> Iterator[Tunnel]:
    made: Any = Tunnel(web)  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The local connection, as the tunnel has it and as the client has it. TCP, because only that has resets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=5)
        ours, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def assert_reset(ours: socket.socket, theirs: socket.socket) -> None:
    """Check that the thread that reads from the client wakes, and that its close resets the connection."""
    ours.settimeout(5)
    assert ours.recv(1) == b""
    ours.close()
    with pytest.raises(ConnectionResetError):
        theirs.recv(100)


def failed(stream: Stream, message: str) -> bytes:
    """Return the frames with which the kubelet reports an error; the error stream is before the data stream."""
    return data_frame(stream.id - 2, message.encode()) + data_frame(stream.id - 2, fin=True)


def test_connection_is_a_pair_of_streams(web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = tunnel.connect(80, pair[0]), tunnel.connect(81, pair[0])

    assert (first.id, second.id) == (3, 7)
    assert [(frame.kind, frame.stream, frame.fin) for frame in web.frames() if frame.kind == "data"] == [
        ("data", 1, True), ("data", 5, True),
    ]  # fmt: skip


def test_data_is_passed_in_both_directions(web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]) -> None:
    stream = tunnel.connect(80, pair[0])
    tunnel.send(stream, b"request")
    web.messages.put(data_frame(3, b"answer"))

    assert pair[1].recv(100) == b"answer"
    assert (stream.asked, stream.answered, stream.over) == (True, True, False)
    assert web.frames()[-1] == Frame("data", 3, b"request", fin=False)


def test_end_of_the_pod_closes_only_its_direction(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    web.messages.put(data_frame(3, b"bye", fin=True))

    assert stream.end.wait(5)
    assert (pair[1].recv(100), pair[1].recv(100)) == (b"bye", b"")
    assert (stream.over, stream.refused, tunnel.alive) == (True, "", True)
    pair[1].sendall(b"still open")
    tunnel.send(stream, b"late")
    assert web.frames()[-1].data != b"late", "nothing is sent to a stream that ended"


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("dial tcp4 127.0.0.1:80: connect: connection refused", True),
        ("pod not found", True),
        ("read tcp4 127.0.0.1:1->127.0.0.1:80: read: connection reset by peer", False),
        ("writeto tcp 127.0.0.1:1: broken pipe", False),
    ],
)
def test_error_before_the_connection_means_refused_and_another_pod_may_be_tried(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket], message: str, refused: bool
) -> None:
    stream = tunnel.connect(80, pair[0])
    web.messages.put(failed(stream, message) + data_frame(stream.id, fin=True))

    assert stream.end.wait(5)
    assert stream.refused == (message if refused else "")
    if refused:
        pair[0].sendall(b"the connection is open")
        assert pair[1].recv(100)
    else:
        assert_reset(*pair)


def test_error_after_data_resets_the_connection(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    web.messages.put(data_frame(stream.id, b"x"))
    assert pair[1].recv(100) == b"x"
    web.messages.put(failed(stream, "connection refused") + data_frame(stream.id, fin=True))

    assert stream.end.wait(5)
    assert stream.refused == ""
    assert_reset(*pair)


def test_reset_by_the_pod_resets_the_connection(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    tunnel.send(stream, b"x")
    web.messages.put(reset(stream.id))

    assert_reset(*pair)
    assert stream.over


def test_lost_tunnel_refuses_streams_without_data_and_resets_the_others(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    used, (ours, theirs) = tunnel.connect(80, pair[0]), socket.socketpair()
    unused = tunnel.connect(80, ours)
    tunnel.send(used, b"x")
    web.messages.put(StreamBroken("lost"))

    assert used.end.wait(5)
    assert unused.end.wait(5)
    assert (used.refused, unused.refused) == ("", "the connection to the pod's node was lost")
    assert not tunnel.alive
    with pytest.raises(StreamBroken, match="the tunnel is closed"):
        tunnel.connect(80, ours)
    ours.close()
    theirs.close()


def test_parked_stream_receives_the_rest_and_closes_the_connection(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    tunnel.park(stream)
    web.messages.put(data_frame(stream.id, b"rest", fin=True))

    assert stream.end.wait(5)
    assert (pair[1].recv(100), pair[1].recv(100)) == (b"rest", b"")
    assert pair[0].fileno() == -1
    assert web.frames()[-1] == Frame("data", 3, b"", fin=True)


def test_parking_an_ended_stream_closes_the_connection(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    web.messages.put(data_frame(stream.id, fin=True))
    assert stream.end.wait(5)

    tunnel.park(stream)

    assert pair[0].fileno() == -1


def test_abandoned_stream_is_canceled_in_the_pod(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    tunnel.abandon(stream)
    assert web.frames()[-1].kind == "reset"

    web.messages.put(data_frame(stream.id, b"late") + pong(2))
    next_ping(web)
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        pair[1].recv(100)


def next_ping(web: Web) -> None:
    """Wait until the tunnel has answered a ping, and so has read all messages before it."""
    waited = threading.Event()
    for _ in range(500):
        if any(frame.kind == "ping" for frame in web.frames()):
            return
        waited.wait(0.01)
    raise AssertionError("no answer")


def test_ping_is_answered_with_its_number(web: Web, tunnel: Tunnel) -> None:
    del tunnel
    web.messages.put(pong(42))
    next_ping(web)

    assert web.frames() == [Frame("ping", 42, struct.pack(">I", 42), fin=False)]


def test_retired_tunnel_closes_after_its_last_stream(
    web: Web, tunnel: Tunnel, pair: tuple[socket.socket, socket.socket]
) -> None:
    stream = tunnel.connect(80, pair[0])
    tunnel.retire()
    assert not web.closed.is_set()

    web.messages.put(failed(stream, "") + data_frame(stream.id, fin=True))

    assert web.closed.wait(5)


def test_unused_tunnel_retires_at_once(web: Web, tunnel: Tunnel) -> None:
    tunnel.retire()

    assert web.closed.is_set()
    assert not tunnel.alive


def test_reset_connection_ends_the_client_with_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reset_connection(ours)

    assert_reset(ours, theirs)
    reset_connection(ours)  # closed by its thread meanwhile
