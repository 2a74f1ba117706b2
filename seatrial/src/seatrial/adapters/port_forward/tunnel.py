"""A tunnel to one pod: local connections, each as a pair of SPDY streams in a WebSocket.

The other end is the kubelet's: it connects to the port inside the pod once both streams of a pair are there, says on
the error stream if it cannot, and never says that it could:
https://github.com/kubernetes/kubelet/blob/v0.34.0/pkg/cri/streaming/portforward/httpstream.go.
Two busy connections never share a tunnel: SPDY as Kubernetes speaks it has no flow control for each stream, so one
whose client does not read would stop the other.
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

__all__ = ["PROTOCOL", "Stream", "Tunnel", "cut"]

PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"

_AFTER_CONNECT: Final = re.compile(r"\b(?:read|write|readfrom|writeto|splice) tcp|broken pipe")
"""How Go words errors of a connection that was there; before that, nothing reached the pod."""

_PATIENCE: Final = 1.0
"""Seconds for which a client that ended its side may keep the tunnel's reader waiting."""


class Stream:
    """One connection through a tunnel.

    Attributes:
        client: the local end.
        refused: what the pod's side said when it could not connect; nothing has reached the pod then.
        over: the pod's side ended, by whatever; then `end` is set, too.
        answered: something came from the pod.
        asked: something was sent to it.
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

    def told(self, data: bytes) -> None:
        """Hand over what came from the pod."""
        self.answered = True
        with suppress(OSError):
            self.client.sendall(data)

    def ended(self, *, broken: bool) -> None:
        """The pod's side is over; unless it refused, the client hears of it."""
        said = self.error.decode(errors="replace")
        if said and not self.answered and not _AFTER_CONNECT.search(said):
            self.refused = said
        elif broken and not (self.asked or self.answered or self.parked):
            self.refused = "the connection to the pod's node was cut"
        # Before the client's thread wakes, which looks at it.
        self.over = True
        if not self.refused and (broken or said):
            cut(self.client)
        elif not self.refused:
            with suppress(OSError):
                self.client.shutdown(socket.SHUT_WR)
        if self.parked:
            self.client.close()
        self.end.set()


class Tunnel:
    """One WebSocket to one pod, with a thread that reads from it.

    Args:
        web: open, with `PROTOCOL`; it is ours from now on.
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
        """Ask for a connection to a port in the pod for a local one.

        Raises:
            StreamBroken: the tunnel is cut.
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
        """Send what came from the client.

        Raises:
            StreamBroken: the tunnel is cut.
        """
        if not stream.over:
            stream.asked = True
            self._web.send(data_frame(stream.id, data))

    def finish(self, stream: Stream) -> None:
        """The client ended its side: tell the pod, and let what it still says go to the client from here.

        Raises:
            StreamBroken: the tunnel is cut.
        """
        self._web.send(data_frame(stream.id, fin=True))
        with self._lock, suppress(OSError):
            stream.client.settimeout(_PATIENCE)
            stream.parked = True
            if stream.over:
                stream.client.close()

    def abandon(self, stream: Stream) -> None:
        """The client is gone: tell the pod's side."""
        if not stream.over:
            with suppress(StreamBroken):
                self._web.send(reset(stream.id))
        with self._lock:
            for key in [key for key, value in self._streams.items() if value is stream]:
                del self._streams[key]

    def retire(self) -> None:
        """Close once nothing is left that a pod may still say to a client."""
        with self._lock:
            if any(not stream.over for stream in self._streams.values()):
                self._retired = True
                return
        self.close()

    def close(self) -> None:
        """Cut everything."""
        self.alive = False
        self._web.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)

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
                left, self._streams = set(self._streams.values()), {}
                for stream in left:
                    stream.ended(broken=True)
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
                stream.told(frame.data)
            else:
                stream.error += frame.data
        if frame.fin or frame.kind == "reset":
            with self._lock:
                self._streams.pop(frame.stream, None)
                if frame.stream == stream.id:
                    stream.ended(broken=frame.kind == "reset")


def cut(client: socket.socket) -> None:
    """Make the close of a local connection a reset, as when a server dies, and wake whoever reads from it."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)
