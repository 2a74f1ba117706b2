"""Reach the services of a Compose project from the host, without published ports.

On Linux, the host routes to the addresses of containers. Elsewhere, and with an engine on another machine, each
connection to a local listener is relayed through a command in a container of the project.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any, Final

from seatrial.adapters.port_forward.loopback import listen
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Address, Object

__all__ = ["ComposeForwarder"]

_SERVICE: Final = "com.docker.compose.service"
_ROUTE_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 5.0
_CHUNK: Final = 1 << 16

_RELAY: Final = """
import os, socket, sys, threading
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
peer.settimeout(None)
def send():
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := peer.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""
"""Program in the container: copy stdin to a connection, and the connection to stdout."""


class ComposeForwarder:
    """Local addresses of the ports of Compose services; see `seatrial.ports.Forwarder`.

    Args:
        containers: returns `docker inspect` of the containers of the project.
        relay: name of a container in the networks of the project that has Python.
        ports: service to the ports that the configuration names.
        seed: number of the first loopback address that is tried.
        routed: whether the addresses of containers may be reachable; None: by platform and DOCKER_HOST.
    """

    def __init__(
        self,
        containers: Callable[[], list[Object]],
        *,
        relay: str,
        ports: Mapping[str, set[int]],
        seed: int,
        routed: bool | None = None,
    ) -> None:
        self._containers = containers
        self._relay = relay
        self._ports = ports
        self._seed = seed
        self._routed = is_local_linux(os.environ) if routed is None else routed
        self._lock = threading.Lock()
        self._open: dict[str, dict[int, Address]] = {}
        self._listeners: list[socket.socket] = []
        self._errors: dict[str, str] = {}

    def open(self, service: str, namespace: str) -> Mapping[int, Address]:
        """Return the local address of each TCP port of a service.

        Raises:
            EnvironmentFailed: no container of the service runs.
        """
        del namespace
        with self._lock:
            if service not in self._open:
                self._open[service] = self._addresses(service)
            return self._open[service]

    def last_error(self, service: str, namespace: str) -> str:
        """Return why the last relayed connection failed; empty if none did."""
        del namespace
        return self._errors.get(service, "")

    def check_port(self, service: str, namespace: str, port: int) -> str:
        """Return why a port accepts no connection; empty if it does."""
        if self._routed_address(service):
            place = self.open(service, namespace)[port]
            return _connect_error(place.host, place.port, _CONNECT_SECONDS)
        argv = [*self._argv(), service, str(port)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return _last_line(done.stderr) if done.returncode else ""

    def close(self) -> None:
        """Close all listeners."""
        for listener in self._listeners:
            listener.close()

    def _addresses(self, service: str) -> dict[int, Address]:
        found = self._container(service)
        exposed = (found.get("Config") or {}).get("ExposedPorts") or {}
        ports = {int(each.partition("/")[0]) for each in exposed if each.endswith("/tcp")}
        ports |= self._ports.get(service, set())
        if host := self._routed_address(service):
            return {port: Address(host, port) for port in sorted(ports)}
        places = {}
        for port, listener in listen(sorted(ports), self._seed + len(self._open)).items():
            self._listeners.append(listener)
            places[port] = Address(*listener.getsockname())
            threading.Thread(target=self._accept, args=(listener, service, port), daemon=True).start()
        return places

    def _container(self, service: str) -> Object:
        for each in self._containers():
            labels = (each.get("Config") or {}).get("Labels") or {}
            if labels.get(_SERVICE) == service and (each.get("State") or {}).get("Running"):
                return each
        raise EnvironmentFailed(f"no container of service {service} runs", hint="seatrial status --env compose")

    def _routed_address(self, service: str) -> str:
        """Return the address of the service's container if this host routes to it; empty if not."""
        if not self._routed:
            return ""
        networks: dict[str, Any] = (self._container(service).get("NetworkSettings") or {}).get("Networks") or {}
        addresses = (str(each.get("IPAddress") or "") for each in networks.values())
        address = next(filter(None, addresses), "")
        # A container refuses connections to a port that no program uses. Anything else means that there is no route.
        port = next(iter(self._ports.get(service, ())), 1)
        if address and _connect_error(address, port, _ROUTE_SECONDS) in ("", os.strerror(errno.ECONNREFUSED)):
            return address
        self._routed = False
        return ""

    def _argv(self, *flags: str) -> list[str]:
        return ["docker", "exec", *flags, self._relay, "python3", "-I", "-S", "-c", _RELAY]

    def _accept(self, listener: socket.socket, service: str, port: int) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._connect, args=(connection, service, port), daemon=True).start()

    def _connect(self, connection: socket.socket, service: str, port: int) -> None:
        """Relay one connection until both sides have closed it."""
        with (
            connection,
            subprocess.Popen(
                [*self._argv("-i"), service, str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            ) as process,
        ):
            assert process.stdin is not None  # noqa: S101 - pipes
            assert process.stdout is not None  # noqa: S101
            assert process.stderr is not None  # noqa: S101
            threading.Thread(target=_send, args=(connection, process.stdin), daemon=True).start()
            with suppress(OSError):
                while data := os.read(process.stdout.fileno(), _CHUNK):
                    connection.sendall(data)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            self._errors[service] = _last_line(process.stderr.read())
            process.kill()


def is_local_linux(environ: Mapping[str, str]) -> bool:
    """Return whether the engine runs on this machine, and this machine routes to containers."""
    host = environ.get("DOCKER_HOST", "")
    return sys.platform == "linux" and (not host or host.startswith("unix://")) and not environ.get("DOCKER_CONTEXT")


def _send(connection: socket.socket, target: IO[bytes]) -> None:
    with suppress(OSError, ValueError), target:
        while data := connection.recv(_CHUNK):
            target.write(data)
            target.flush()


def _connect_error(host: str, port: int, seconds: float) -> str:
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _last_line(errors: bytes) -> str:
    return errors.decode(errors="replace").strip().rsplit("\n", 1)[-1]
