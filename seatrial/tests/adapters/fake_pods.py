"""The kubelet's end of port forwarding: SPDY in a WebSocket, connected to servers of this machine."""

from __future__ import annotations

import socket
import struct
import threading
import zlib
from contextlib import suppress

from .fake_api import FakeApi, frame, read_frame

PROTOCOL = "SPDY/3.1+portforward.k8s.io"


def endpoint(pod, *, ready=True):
    return {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"}}


def endpoint_slice(service, *endpoints, port=8080, port_name="", name="s1"):
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}, "resourceVersion": "1"},
        "ports": [{"name": port_name, "port": port}],
        "endpoints": list(endpoints),
    }


class Pods:
    """Pods of a `FakeApi`: each port of each leads to a server of this machine, or nowhere.

    Attributes:
        servers: (pod, port) to the port of a server here.
        tunnels: how many were opened, by pod.
        errors: what a pod's side says at the end of a connection, by pod.
    """

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.servers: dict[tuple[str, int], int] = {}
        self.tunnels: list[str] = []
        self.connections: list[socket.socket] = []
        self.errors: dict[str, str] = {}
        api.subprotocol = PROTOCOL
        api.talk = self.talk

    def talk(self, connection: socket.socket) -> None:
        path = next(path for _, path, _ in reversed(self.api.asked) if path.endswith("/portforward"))
        pod = path.split("/")[-2]
        self.tunnels.append(pod)
        self.connections.append(connection)
        Tunnel(self, pod, connection).run()


class Tunnel:
    def __init__(self, pods: Pods, pod: str, connection: socket.socket) -> None:
        self.pods, self.pod, self.connection = pods, pod, connection
        self.inflate = zlib.decompressobj()
        self.turn = threading.Lock()
        self.error_of: dict[str, int] = {}
        self.servers: dict[int, socket.socket] = {}

    def run(self) -> None:
        buffer = b""
        with suppress(OSError):
            self.write(struct.pack(">II", 0x80030006, 4) + b"\0\0\0\2")
            while True:
                code, payload = read_frame(self.connection)
                if code == 8:
                    return
                buffer += payload
                while len(buffer) >= 8 and len(buffer) >= 8 + (size := int.from_bytes(buffer[5:8])):
                    first, flags, data = int.from_bytes(buffer[:4]), buffer[4], buffer[8 : 8 + size]
                    buffer = buffer[8 + size :]
                    self.take(first, flags, data)

    def write(self, data: bytes) -> None:
        # In pieces, as a proxy may cut them.
        half = len(data) // 2
        with self.turn:
            for part in (data[:half], data[half:]):
                if part:
                    self.connection.sendall(frame(part[0], part[1:]))

    def take(self, first: int, flags: int, data: bytes) -> None:
        if first == 0x80030001:
            self.opened(int.from_bytes(data[:4]), self.headers(data[10:]))
        elif first == 0x80030003:
            with suppress(KeyError, OSError):
                self.servers.pop(int.from_bytes(data[:4])).shutdown(socket.SHUT_RDWR)
        elif not first & 0x80000000 and first in self.servers:
            with suppress(OSError):
                if data:
                    self.servers[first].sendall(data)
                if flags & 1:
                    self.servers[first].shutdown(socket.SHUT_WR)

    def headers(self, block: bytes) -> dict[str, str]:
        text = self.inflate.decompress(block)
        words, at = [], 4
        while at < len(text):
            size = int.from_bytes(text[at : at + 4])
            words.append(text[at + 4 : at + 4 + size].decode())
            at += 4 + size
        assert len(words) == 2 * int.from_bytes(text[:4])
        return dict(zip(words[::2], words[1::2], strict=True))

    def opened(self, stream: int, headers: dict[str, str]) -> None:
        self.write(struct.pack(">III", 0x80030002, 4, stream))
        if headers["streamtype"] == "error":
            self.error_of[headers["requestid"]] = stream
            return
        error = self.error_of.pop(headers["requestid"])
        port = int(headers["port"])
        try:
            server = socket.create_connection(("127.0.0.1", self.pods.servers[self.pod, port]))
        except (OSError, KeyError):
            said = f"dial tcp4 127.0.0.1:{port}: connect: connection refused"
            self.write(struct.pack(">II", error, len(said)) + said.encode())
            self.fin(error, stream)
            return
        self.servers[stream] = server
        threading.Thread(target=self.pump, args=(server, stream, error), daemon=True).start()

    def pump(self, server: socket.socket, stream: int, error: int) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                self.write(struct.pack(">II", stream, len(data)) + data)
            said = self.pods.errors.get(self.pod, "")
            if said:
                self.write(struct.pack(">II", error, len(said)) + said.encode())
            self.fin(error, stream)
        server.close()

    def fin(self, *streams: int) -> None:
        for stream in streams:
            self.write(struct.pack(">II", stream, 1 << 24))
