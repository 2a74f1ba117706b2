"""Forward TCP ports of this pod to Services: ``proxy.py LISTEN=HOST:PORT ...``.

Names are resolved for each connection, so a Service may be created or changed later. Port 8080 answers ``/live`` (the
event loop runs) and ``/ready`` (every name resolves).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
import sys
from dataclasses import dataclass

HEALTH_PORT = 8080
# The event loop has weak references to tasks only. Once both ends wait, nothing else holds a connection's task, and the
# garbage collector would end the connection: https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task
CONNECTIONS: set[asyncio.Task[None]] = set()
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Route:
    """A route from port `listen` of this pod to `host`:`port`."""

    listen: int
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Route:
        """Parse ``LISTEN=HOST:PORT``."""
        listen, _, target = text.partition("=")
        host, _, port = target.rpartition(":")
        return cls(int(listen), host, int(port))

    async def serve(self) -> None:
        """Accept connections forever."""
        server = await asyncio.start_server(self._connected, "0.0.0.0", self.listen)  # noqa: S104 - for clients outside
        print(f"port {self.listen} forwards to {self.host}:{self.port}")
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows the type
        CONNECTIONS.add(task)
        task.add_done_callback(CONNECTIONS.discard)
        try:
            there = await asyncio.open_connection(self.host, self.port)
        except OSError as error:
            print(f"port {self.listen}: no connection to {self.host}:{self.port}: {error}", file=sys.stderr)
            _reset(writer)
            return
        # One direction of a connection may end while the other continues; each closes only its own writer.
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        for end in (writer, there[1]):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the reader ends, then end the writer. A broken connection also breaks the other direction."""
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, so that the client sees an error and not an empty or complete answer."""
    # SO_LINGER with zero seconds sends a reset instead of an orderly end, socket(7).
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _health(routes: list[Route], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one HTTP request."""
    line = await reader.readline()
    status, text = "200 OK", "ok"
    if b" /ready" in line:
        loop = asyncio.get_running_loop()
        try:
            for route in routes:
                await loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
        except OSError as error:
            status, text = "503 Service Unavailable", f"{route.host}: {error}"
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
    with contextlib.suppress(OSError):
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    routes = [Route.parse(text) for text in arguments]
    tasks = [asyncio.create_task(route.serve()) for route in routes]
    health = await asyncio.start_server(
        lambda r, w: _health(routes, r, w),
        "0.0.0.0",  # noqa: S104 - the kubelet connects from outside the pod
        HEALTH_PORT,
    )
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    health.close()
    for task in done - {stopped}:
        task.result()  # a port that is in use ends the pod with the reason


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
