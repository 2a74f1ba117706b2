"""Read any number of watches and container logs of a Kubernetes API in one thread.

One thread for each would be simpler; a run may follow hundreds of containers. Connecting blocks, so a few more threads
do that.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from seatrial.adapters.http_reader import ResponseReader
from seatrial.adapters.log_stream import LogStream
from seatrial.adapters.stream import Requests, Stream
from seatrial.adapters.watch_stream import WatchStream
from seatrial.model.errors import SeatrialError
from seatrial.ports import Change, LogRequest, Missed

__all__ = ["ApiStreams"]

_OPENERS: Final = 2
_PIECE: Final = 64 * 1024
_PIECES: Final = 16
"""Pieces that are read of one stream before the others get their turn."""

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A lost network is noticed after 30 s. Not every system has every option."""

_END: Final = 1.0
"""Seconds to wait for the thread to end."""

_IDLE: Final = 4
"""Connections that are kept for logs that are read again and again."""


class ApiStreams:
    """Watches and logs of one API server. See `ports.Streams`.

    Args:
        requests: how to reach the server.
    """

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._unread: set[Stream] = set()
        self._to_open: queue.SimpleQueue[Stream | None] = queue.SimpleQueue()
        self._openers = 0
        self._connected: set[socket.socket] = set()
        """Connections that no stream has yet."""

        self._idle: list[tuple[socket.socket, bytes]] = []
        """Connections whose last response was read, and the headers of their requests."""

        self._closed = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="cluster-streams", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether callbacks are run: until `close`, or until one of them raises an error."""
        return self._thread.is_alive()

    def call(self, function: Callable[[], object], *, after: float = 0.0) -> None:
        """Run a function in the thread of the streams after some seconds, from any thread."""
        with self._lock:
            heapq.heappush(self._calls, (time.monotonic() + after, next(self._numbers), function))
        with suppress(OSError):
            self._wake.send(b"\0")

    def watch(
        self, kind: str, namespace: str, *, labels: str = "", take: Callable[[Change | Missed], None]
    ) -> Callable[[], None]:
        """Watch the objects of a kind in one namespace, or in all if it is empty."""
        return self._started(WatchStream(self, kind, namespace, labels, take))

    def log(
        self, request: LogRequest, *, data: Callable[[bytes], None], ended: Callable[[int, str], None]
    ) -> Callable[[], None]:
        """Read the log of a container."""
        stream = LogStream(self, request, data, ended)
        if request.follow:
            return self._started(stream)
        self.open_again(stream)
        return stream.close

    def close(self) -> Exception | None:
        """End all streams; return the error of a callback that ended them before."""
        self._closed.set()
        with suppress(OSError):
            self._wake.send(b"\0")
        self._thread.join(_END)
        return self._error

    def open(self, stream: Stream) -> None:
        """Connect a stream in another thread and send its first request."""
        if self._openers < _OPENERS:
            self._openers += 1
            threading.Thread(target=self._open_all, name="cluster-streams-open", daemon=True).start()
        self._to_open.put(stream)

    def open_again(self, stream: Stream) -> None:
        """Send the request of a stream over an idle connection if there is one, else over a new one."""
        while self._idle:
            connection, stream.head = self._idle.pop()
            try:
                connection.sendall(stream.request())
            except OSError:
                connection.close()
            else:
                self._register(stream, connection)
                return
        self.open(stream)

    def release(self, stream: Stream) -> None:
        """Keep the connection of a stream whose response was read for another one."""
        connection = stream.connection
        if connection is None or len(self._idle) >= _IDLE or not stream.reader.done:
            self.forget(stream)
            return
        self._unread.discard(stream)
        self._selector.unregister(connection)
        stream.connection = None
        self._idle.append((connection, stream.head))

    def forget(self, stream: Stream) -> None:
        """Close the connection of a stream."""
        self._unread.discard(stream)
        connection, stream.connection = stream.connection, None
        if connection is not None:
            with suppress(OSError, KeyError, ValueError):
                self._selector.unregister(connection)
            connection.close()

    def _started(self, stream: Stream) -> Callable[[], None]:
        self.open(stream)
        return stream.close

    def _open_all(self) -> None:
        while (stream := self._to_open.get()) is not None and not self._closed.is_set():
            if not stream.closed:
                self._open(stream)

    def _open(self, stream: Stream) -> None:
        try:
            connection = self.requests.connect()
        except (OSError, SeatrialError) as error:
            self.call(partial(stream.lost, str(error) or type(error).__name__))
            return
        try:
            stream.head = self.requests.headers()
            connection.sendall(stream.request())
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                if hasattr(socket, option):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        except (OSError, SeatrialError) as error:
            connection.close()
            self.call(partial(stream.lost, str(error) or type(error).__name__))
            return
        with self._lock:
            if self._closed.is_set():
                connection.close()
                return
            self._connected.add(connection)
        self.call(partial(self._register, stream, connection))

    def _register(self, stream: Stream, connection: socket.socket) -> None:
        with self._lock:
            self._connected.discard(connection)
        if stream.closed:
            connection.close()
            return
        stream.connection = connection
        stream.reader = ResponseReader()
        self._selector.register(connection, selectors.EVENT_READ, stream)
        self._unread.add(stream)

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._turn()
        except Exception as error:  # noqa: BLE001 - `close` returns it in its caller's thread
            self._error = error
        finally:
            for _ in range(self._openers):
                self._to_open.put(None)
            with self._lock:
                self._closed.set()
                for connection in (*self._connected, *(connection for connection, _ in self._idle)):
                    connection.close()
            for key in tuple(self._selector.get_map().values()):
                if key.data is not None:
                    self.forget(key.data)
            self._selector.close()
            self._woken.close()
            self._wake.close()

    def _turn(self) -> None:
        """Wait until something can be done, and do it."""
        for key, _ in self._selector.select(self._timeout()):
            if key.data is None:
                with suppress(OSError):
                    while self._woken.recv(_PIECE):
                        pass
            else:
                self._unread.add(key.data)
        for stream in tuple(self._unread):
            self._read(stream)
        while (function := self._due()) is not None:
            function()

    def _timeout(self) -> float | None:
        if self._unread:
            return 0.0
        with self._lock:
            return max(0.0, self._calls[0][0] - time.monotonic()) if self._calls else None

    def _due(self) -> Callable[[], object] | None:
        with self._lock:
            if self._calls and self._calls[0][0] <= time.monotonic():
                return heapq.heappop(self._calls)[2]
            return None

    def _read(self, stream: Stream) -> None:
        for _ in range(_PIECES):
            connection, reader = stream.connection, stream.reader
            if connection is None:
                self._unread.discard(stream)
                return
            try:
                data = connection.recv(_PIECE)
                body = reader.feed(data) if data else b""
            except (ssl.SSLWantReadError, BlockingIOError):
                self._unread.discard(stream)
                return
            except (OSError, ValueError) as error:
                self.forget(stream)
                stream.lost(str(error) or type(error).__name__)
                return
            try:
                if body or reader.status:
                    stream.received(reader.status, body)
                if stream.connection is not connection:
                    # It was closed, and may be opened again.
                    return
                if reader.done or (not data and reader.closed()):
                    stream.finished(reader.status)
                elif not data:
                    self.forget(stream)
                    stream.lost("connection closed")
            except msgspec.DecodeError as error:
                self.forget(stream)
                stream.lost(f"the answer is no JSON: {error}")
                return
