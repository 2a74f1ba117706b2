"""A Kubernetes API small enough to read: real sockets, real HTTP, answers by the test."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from seatrial.adapters.kubeconfig import Access

Answer = tuple[int, Any]


class FakeApi:
    """Answers requests by method and path; a list of answers is used up one by one, the last one stays.

    Attributes:
        asked: method, path and query of each request.
        repeated: headers of each request, all values of each name.
        bodies: what came with them, decoded.
        lines: what a watch of a path sends before it ends, by path; one list a connection.
        connections: how many clients connected.
        talk: what happens on an open WebSocket.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.repeated: list[dict[str, list[str]]] = []
        self.lines: dict[str, list[list[Any]]] = {}
        self.talk: Callable[[socket.socket], None] | None = None
        self.refuse: Answer | None = None
        self.subprotocol = "v5.channel.k8s.io"
        self.hold = threading.Event()
        self.drop = 0
        self.connections = 0

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[method, path] = list(answers)

    def answer(self, method: str, path: str) -> Answer:
        known = self.answers.get((method, path), [(404, {"message": f"no {path}"})])
        return known.pop(0) if len(known) > 1 else known[0]


def frame(channel: int, data: bytes, *, final: bool = True, code: int = 2) -> bytes:
    payload = (bytes((channel,)) + data) if code == 2 else data
    size = len(payload)
    head = bytes(((0x80 if final else 0) | code,))
    if size < 126:
        return head + bytes((size,)) + payload
    if size < 1 << 16:
        return head + bytes((126,)) + struct.pack(">H", size) + payload
    return head + bytes((127,)) + struct.pack(">Q", size) + payload


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    def take(count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    first, second = take(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", take(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", take(8))
    assert second & 0x80, "clients mask"
    mask = take(4)
    data = take(size)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@contextmanager
def serving(api: FakeApi) -> Iterator[Access]:
    """Serve the API and give the access to it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            api.connections += 1

        def log_message(self, *args: object) -> None:
            pass

        def respond(self) -> None:
            url = urlsplit(self.path)
            api.asked.append((self.command, url.path, parse_qs(url.query)))
            api.headers.append(dict(self.headers))
            api.repeated.append({name: self.headers.get_all(name, []) for name in self.headers})
            length = int(self.headers.get("Content-Length") or 0)
            if length:
                api.bodies.append(json.loads(self.rfile.read(length)))
            if api.drop:
                api.drop -= 1
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if self.headers.get("Upgrade") == "websocket":
                self.upgrade()
            elif "watch=true" in url.query:
                self.watch(url.path)
            else:
                self.send(*api.answer(self.command, url.path))

        do_GET = do_PATCH = do_DELETE = do_POST = do_PUT = respond  # noqa: N815

        def send(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def watch(self, path: str) -> None:
            scripts = api.lines.get(path)
            if not scripts:
                # Nothing happens until the client hangs up or the test ends.
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                api.hold.wait(10)
                return
            script = scripts.pop(0)
            if script and isinstance(script[0], int):
                self.send(script[0], {"message": "gone"})
                return
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in script:
                data = json.dumps(line).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

        def upgrade(self) -> None:
            self.close_connection = True
            if api.refuse:
                self.send(*api.refuse)
                return
            key = self.headers["Sec-WebSocket-Key"].encode()
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", accept)
            self.send_header("Sec-WebSocket-Protocol", api.subprotocol)
            self.end_headers()
            self.wfile.flush()
            assert api.talk is not None
            api.talk(self.connection)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Access(
            host="127.0.0.1",
            port=server.server_address[1],
            path="",
            tls=None,
            server_name="127.0.0.1",
            authorization=lambda: "Bearer secret",
        )
    finally:
        api.hold.set()
        server.shutdown()
        server.server_close()
