"""Forward local connections to one pod, each as a pair of SPDY streams in a WebSocket.

The kubelet connects to the port in the pod once both streams of a pair are open. If that fails, it writes to the error
stream. If it succeeds, it sends nothing:
https://github.com/kubernetes/kubelet/blob/v0.34.0/pkg/cri/streaming/portforward/httpstream.go.
Two connections never use a tunnel at the same time: Kubernetes implements SPDY without flow control per stream, so a
client that does not read would block the other one.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from typing import Final

from seatrial.adapters.port_forward.spdy import Frame, Frames, Headers, data_frame, pong, reset
from seatrial.adapters.websocket import WebSocket
from seatrial.ports import StreamBroken

__all__ = ["PROTOCOL", "Stream", "Tunnel", "reset_connection"]

PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"

_AFTER_CONNECT: Final = re.compile(r"\b(?:read|write|readfrom|writeto|splice) tcp|broken pipe")
"""Messages of Go for errors after the connection was open. Other errors mean that no data reached the pod."""

_SEND_TIMEOUT: Final = 1.0
"""Seconds for which a client that closed its side may block the reader of the tunnel."""


class Stream:
    """One connection through a tunnel.

    Attributes:
        client: the local connection.
        refused: why the kubelet could not connect; no data reached the pod then. Empty if it was not refused.
        over: the stream of the pod has ended; `end` is set too.
        answered: data was received from the pod.
        asked: data was sent to the pod.
    """

    def __init__(self, identifier: int, client: socket.socket) -> None:
        self.id = identifier
        self.client = client
        self.refused = ""
        self.over = False
        self.end = threading.Event()
        self.answered = False
        self.asked = False
        self.parked = False
        self.error = bytearray()

    def receive(self, data: bytes) -> None:
        """Send data of the pod to the client."""
        self.answered = True
        with suppress(OSError):
            self.client.sendall(data)

    def finish(self, *, broken: bool) -> None:
        """End the stream, and the client's connection unless the kubelet refused it."""
        message = self.error.decode(errors="replace")
        if message and not self.answered and not _AFTER_CONNECT.search(message):
            self.refused = message
        elif broken and not (self.asked or self.answered or self.parked):
            self.refused = "the connection to the pod's node was lost"
        # Set before the thread of the client wakes and reads it.
        self.over = True
        if not self.refused and (broken or message):
            reset_connection(self.client)
        elif not self.refused:
            with suppress(OSError):
                self.client.shutdown(socket.SHUT_WR)
        if self.parked:
            self.client.close()
        self.end.set()


class Tunnel:
    """One WebSocket to one pod, with a thread that reads from it.

    Args:
        web: open, with `PROTOCOL`; closed by `close`.
    """

    def __init__(self, web: WebSocket) -> None:
        self._web = web
        self._headers = Headers()
        self._lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._retired = False
        self.alive = True
        self._thread = threading.Thread(target=self._read, name="seatrial-tunnel", daemon=True)
        self._thread.start()

    def connect(self, port: int, client: socket.socket) -> Stream:
        """Open a connection to a port in the pod for a local connection.

        Raises:
            StreamBroken: the tunnel is closed.
        """
        with self._lock:
            if not self.alive:
                raise StreamBroken("the tunnel is closed")
            error, data = self._next, self._next + 2
            self._next += 4
            stream = Stream(data, client)
            self._streams[error] = self._streams[data] = stream
            headers = {"port": str(port), "requestid": str(error)}
            self._web.send(
                self._headers.syn_stream(error, {**headers, "streamtype": "error"})
                + data_frame(error, fin=True)
                + self._headers.syn_stream(data, {**headers, "streamtype": "data"})
            )
        return stream

    def send(self, stream: Stream, data: bytes) -> None:
        """Send data of the client.

        Raises:
            StreamBroken: the tunnel is closed.
        """
        if not stream.over:
            stream.asked = True
            self._web.send(data_frame(stream.id, data))

    def park(self, stream: Stream) -> None:
        """Close the client's side of a stream; the tunnel passes on what the pod still sends.

        Raises:
            StreamBroken: the tunnel is closed.
        """
        self._web.send(data_frame(stream.id, fin=True))
        with self._lock, suppress(OSError):
            stream.client.settimeout(_SEND_TIMEOUT)
            stream.parked = True
            if stream.over:
                stream.client.close()

    def abandon(self, stream: Stream) -> None:
        """Cancel a stream whose client has disconnected."""
        if not stream.over:
            with suppress(StreamBroken):
                self._web.send(reset(stream.id))
        with self._lock:
            for key in [key for key, value in self._streams.items() if value is stream]:
                del self._streams[key]

    def retire(self) -> None:
        """Close the tunnel once all its streams have ended."""
        with self._lock:
            if any(not stream.over for stream in self._streams.values()):
                self._retired = True
                return
        self.close()

    def close(self) -> None:
        """Close the tunnel and all its streams."""
        self.alive = False
        self._web.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(_SEND_TIMEOUT)

    def _read(self) -> None:
        frames = Frames()
        try:
            while (message := self._web.receive()) is not None:
                for frame in frames.feed(message):
                    self._take(frame)
                if self._retired and not self._streams:
                    return
        except StreamBroken:
            pass
        finally:
            self.alive = False
            with self._lock:
                open_streams, self._streams = set(self._streams.values()), {}
                for stream in open_streams:
                    stream.finish(broken=True)
            self._web.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind == "ping":
            self._web.send(pong(frame.stream))
        if frame.kind not in ("data", "reset"):
            return
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        if frame.kind == "data" and frame.data:
            if frame.stream == stream.id:
                stream.receive(frame.data)
            else:
                stream.error += frame.data
        if frame.fin or frame.kind == "reset":
            with self._lock:
                self._streams.pop(frame.stream, None)
                if frame.stream == stream.id:
                    stream.finish(broken=frame.kind == "reset")


def reset_connection(client: socket.socket) -> None:
    """Close a local connection with a reset, as a server that dies does, and wake the thread that reads from it."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)
