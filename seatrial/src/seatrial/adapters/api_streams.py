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
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from seatrial.adapters.http_reader import ResponseReader
from seatrial.model.errors import SeatrialError
from seatrial.ports import Change, LogRequest, Missed, Object

__all__ = ["ApiStreams", "Requests"]

_OPENERS: Final = 2
_PIECE: Final = 64 * 1024
_PIECES: Final = 16
"""Pieces that are read of one stream before the others get their turn."""

_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a lost watch is opened again; the last one repeats."""

_STABLE: Final = 5.0
"""Seconds after which a watch counts as working, and is opened again at once."""

_UNNOTICED: Final = 2.0
"""Seconds without a connection that are no gap if all changes arrive afterwards."""

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A lost network is noticed after 30 s. Not every system has every option."""

_END: Final = 1.0
"""Seconds to wait for the thread to end."""

_ERROR: Final = 400
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_GONE: Final = 410


class Requests(Protocol):
    """What the streams need of the client. `connect` and `headers` may block."""

    def connect(self) -> socket.socket: ...
    def headers(self) -> bytes: ...
    def target(self, path: str, query: Mapping[str, str]) -> str: ...
    def path(self, kind: str, namespace: str, name: str = "") -> str: ...


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
        self._unread: set[_Stream] = set()
        self._to_open: queue.SimpleQueue[_Stream | None] = queue.SimpleQueue()
        self._openers = 0
        self._connected: set[socket.socket] = set()
        """Connections that no stream has yet."""
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
        return self._started(_Watch(self, kind, namespace, labels, take))

    def log(
        self, request: LogRequest, *, data: Callable[[bytes], None], ended: Callable[[int, str], None]
    ) -> Callable[[], None]:
        """Read the log of a container."""
        return self._started(_Log(self, request, data, ended))

    def close(self) -> Exception | None:
        """End all streams; return the error of a callback that ended them before."""
        self._closed.set()
        with suppress(OSError):
            self._wake.send(b"\0")
        self._thread.join(_END)
        return self._error

    def open(self, stream: _Stream) -> None:
        """Connect a stream in another thread and send its first request."""
        if self._openers < _OPENERS:
            self._openers += 1
            threading.Thread(target=self._open_all, name="cluster-streams-open", daemon=True).start()
        self._to_open.put(stream)

    def forget(self, stream: _Stream) -> None:
        """Close the connection of a stream."""
        self._unread.discard(stream)
        connection, stream.connection = stream.connection, None
        if connection is not None:
            with suppress(OSError, KeyError, ValueError):
                self._selector.unregister(connection)
            connection.close()

    def _started(self, stream: _Stream) -> Callable[[], None]:
        self.open(stream)
        return stream.close

    def _open_all(self) -> None:
        while (stream := self._to_open.get()) is not None and not self._closed.is_set():
            if not stream.closed:
                self._open(stream)

    def _open(self, stream: _Stream) -> None:
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

    def _register(self, stream: _Stream, connection: socket.socket) -> None:
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
                for connection in self._connected:
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

    def _read(self, stream: _Stream) -> None:
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


class _Stream:
    """One connection that is read until its response ends."""

    def __init__(self, streams: ApiStreams) -> None:
        self.streams = streams
        self.connection: socket.socket | None = None
        self.reader = ResponseReader()
        self.head = b""
        """Headers of a request, set before the first one."""
        self.closed = False

    def close(self) -> None:
        """End the stream without further callbacks."""
        self.closed = True
        self.streams.forget(self)

    def request(self) -> bytes:
        """Return the next request."""
        path, query = self.asked()
        return f"GET {self.streams.requests.target(path, query)} HTTP/1.1\r\n".encode() + self.head

    def asked(self) -> tuple[str, dict[str, str]]:
        """Return path and query of the next request."""
        raise NotImplementedError

    def received(self, status: int, body: bytes) -> None:
        """Take a part of the response; its first one may be empty."""
        raise NotImplementedError

    def finished(self, status: int) -> None:
        """Take the end of a response."""
        raise NotImplementedError

    def lost(self, reason: str) -> None:
        """Take the end of the connection before that of the response."""
        raise NotImplementedError


class _Log(_Stream):
    def __init__(
        self,
        streams: ApiStreams,
        wanted: LogRequest,
        data: Callable[[bytes], None],
        ended: Callable[[int, str], None],
    ) -> None:
        super().__init__(streams)
        self._wanted = wanted
        self._data = data
        self._ended = ended
        self._refusal = b""

    def asked(self) -> tuple[str, dict[str, str]]:
        wanted = self._wanted
        query = {"container": wanted.container, "timestamps": "true"}
        if wanted.follow:
            query["follow"] = "true"
        if wanted.since:
            query["sinceTime"] = wanted.since
        if wanted.previous:
            query["previous"] = "true"
        return self.streams.requests.path("v1/Pod", wanted.namespace, wanted.pod) + "/log", query

    def received(self, status: int, body: bytes) -> None:
        if status >= _ERROR:
            self._refusal += body
        elif body:
            self._data(body)

    def finished(self, status: int) -> None:
        self.close()
        self._ended(status, _message(status, self._refusal) if status >= _ERROR else "")

    def lost(self, reason: str) -> None:
        if not self.closed:
            self.close()
            self._ended(0, reason)


class _Watch(_Stream):
    """Objects of one kind: a list, then its changes over the same connection."""

    def __init__(
        self,
        streams: ApiStreams,
        kind: str,
        namespace: str,
        labels: str,
        take: Callable[[Change | Missed], None],
    ) -> None:
        super().__init__(streams)
        self._api, _, self._bare = kind.rpartition("/")
        self._kind = kind
        self._namespace = namespace
        self._selector = {"labelSelector": labels} if labels else {}
        self._take = take
        self._version = ""
        """Resource version to continue from; empty: list."""
        self._listed = False
        self._pending: list[bytes] = []
        self._lists = True
        """Whether the response that is read is a list."""
        self._since: datetime | None = None
        """Start of an interruption."""
        self._reason = ""
        self._opened = time.monotonic()
        self._attempts = 0

    def asked(self) -> tuple[str, dict[str, str]]:
        path = self.streams.requests.path(self._kind, self._namespace)
        self._lists = not self._version
        self._pending.clear()
        self._opened = time.monotonic()
        if self._lists:
            return path, self._selector
        changes = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._version}
        return path, {**self._selector, **changes}

    def received(self, status: int, body: bytes) -> None:
        if self._lists or status >= _ERROR:
            self._pending.append(body)
            return
        if self._since is not None:
            self._resumed()
        *lines, rest = body.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._pending, lines[0]))
            self._pending.clear()
        if rest:
            self._pending.append(rest)
        for line in lines:
            if not self.closed and line:
                self._take_line(line)

    def finished(self, status: int) -> None:
        if status == _GONE:
            self._list_again("the server no longer has the changes")
        elif status >= _ERROR:
            self._refused(status)
        elif self._lists:
            self._take_list()
        else:
            # The server closes each watch after some minutes.
            self._again("closed by the server", quietly=True)

    def lost(self, reason: str) -> None:
        if not self.closed:
            self._again(reason)

    def _take_list(self) -> None:
        found = msgspec.json.decode(b"".join(self._pending), type=dict[str, Any])
        self._pending.clear()
        self._version = str(found["metadata"].get("resourceVersion", ""))
        if self._listed:
            since = self._since or datetime.now(UTC)
            self._take(Missed(since=since, reason=self._reason or "the server no longer has the changes"))
        self._since, self._listed = None, True
        objects = ({"apiVersion": self._api, "kind": self._bare, **item} for item in found.get("items") or ())
        self._take(Change(type="synced", objects=tuple(objects)))
        connection = self.connection
        if self.closed or connection is None:
            return
        self.reader = ResponseReader()
        try:
            connection.sendall(self.request())
        except OSError as error:
            self._again(str(error))

    def _take_line(self, line: bytes) -> None:
        event = msgspec.json.decode(line, type=dict[str, Any])
        obj: Object = event["object"]
        if event["type"] == "ERROR":
            self._list_again(str(obj.get("message") or "the server ended the watch"))
            return
        self._version = obj["metadata"]["resourceVersion"]
        if event["type"] != "BOOKMARK":
            self._take(Change(type=event["type"].lower(), objects=(obj,)))

    def _refused(self, status: int) -> None:
        reason = _message(status, b"".join(self._pending))
        if status in (_FORBIDDEN, _NOT_FOUND):
            self.close()
            # A kind that the server does not have has no objects.
            if status == _FORBIDDEN:
                self._take(Missed(since=datetime.now(UTC), reason=reason, ended=False))
            return
        self._again(reason)

    def _list_again(self, reason: str) -> None:
        self._version = ""
        self._again(reason)

    def _again(self, reason: str, *, quietly: bool = False) -> None:
        """Open the watch again, after a pause if it was opened just before."""
        self.streams.forget(self)
        if self._since is None:
            self._since, self._reason = datetime.now(UTC), reason
        if time.monotonic() - self._opened > _STABLE or quietly:
            self._attempts = 0
        pause = _PAUSES[min(self._attempts, len(_PAUSES) - 1)]
        self._attempts += 1
        self.streams.call(self._open_again, after=pause)

    def _open_again(self) -> None:
        if not self.closed:
            self.streams.open(self)

    def _resumed(self) -> None:
        """Report an interruption that was long, although no change was lost."""
        since, self._since = self._since, None
        if since is not None and (datetime.now(UTC) - since).total_seconds() > _UNNOTICED:
            self._take(Missed(since=since, reason=self._reason))


def _message(status: int, body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, Any])["message"])
    except (msgspec.DecodeError, KeyError):
        return f"HTTP status {status}: {body[:200].decode(errors='replace')}"
