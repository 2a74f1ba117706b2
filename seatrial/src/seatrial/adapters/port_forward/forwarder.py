"""Listen on a local port for each port of a Service, and forward each connection to a ready pod.

A pod is chosen for each connection. So only open connections break when a pod is deleted. Data that a deleted pod did
not receive is sent to another pod.
"""

from __future__ import annotations

import json
import select
import selectors
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.port_forward.endpoint_watch import EndpointWatch
from seatrial.adapters.port_forward.endpoints import Target, service_ports
from seatrial.adapters.port_forward.loopback import listen
from seatrial.adapters.port_forward.tunnel import PROTOCOL, Stream, Tunnel, reset_connection
from seatrial.adapters.websocket import HandshakeRefused
from seatrial.model.errors import EnvironmentFailed, SeatrialError
from seatrial.ports import Address, StreamBroken

__all__ = ["KubeForwarder"]

_READ: Final = 64 * 1024
_RESEND: Final = 256 * 1024
"""Bytes of a client that are kept until its pod answers, to send them to another pod if the first one refuses."""
_CONNECT_SECONDS: Final = 3.0
"""Seconds for which a new connection is offered to pods."""
_SHORTEST_POLL, _LONGEST_POLL = 0.02, 0.25
_REFUSAL: Final = 0.3
"""Seconds after which a connection that was not refused counts as accepted."""
_IDLE_TUNNELS: Final = 8
_SILENCE: Final = 4 * 3600.0
"""Seconds without data; the kubelet closes idle streams after the same time: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/."""


@dataclass(frozen=True, slots=True)
class _Route:
    """The port of a Service that a listener forwards to."""

    service: str
    namespace: str
    port: int
    port_name: str


class KubeForwarder:
    """Forward local ports to the Services of one cluster.

    Args:
        kube: API of the cluster; closed by `close`.
        seed: number of the first address in 127.0.0.0/8 that is tried, for example the process id.
    """

    def __init__(self, kube: KubeApi, *, seed: int) -> None:
        self._kube = kube
        self._seed = seed
        self._lock = threading.RLock()
        self._watches: dict[str, EndpointWatch] = {}
        self._open: dict[tuple[str, str], dict[int, Address]] = {}
        self._listeners: list[socket.socket] = []
        self._clients: set[socket.socket] = set()
        self._idle: defaultdict[tuple[str, str], list[Tunnel]] = defaultdict(list)
        self._tunnels: set[Tunnel] = set()
        self._problems: dict[tuple[str, str], str] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, wake_reader = socket.socketpair()
        self._wake_reader = wake_reader
        self._selector.register(wake_reader, selectors.EVENT_READ)
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self, service: str, namespace: str) -> dict[int, Address]:
        """Listen for the TCP ports of a Service until `close`; return the local address of each port.

        All ports of a Service have the same address, which no other Service has. A local port has the number of the
        Service's port, or a free number if that port is in use or below 1024 without permission.

        Raises:
            EnvironmentFailed: the Service does not exist, or has no TCP ports that lead to pods.
        """
        with self._lock:
            if (service, namespace) not in self._open:
                found = self._kube.get("v1/Service", service, namespace)
                if found is None:
                    raise EnvironmentFailed(
                        f"Service {namespace}/{service} not found in the cluster", hint="seatrial up"
                    )
                ports = service_ports(found)
                if not ports or (found.get("spec") or {}).get("type") == "ExternalName":
                    raise EnvironmentFailed(
                        f"Service {namespace}/{service} has no TCP ports that lead to pods",
                        hint=f"kubectl describe service {service} -n {namespace}",
                    )
                self._open[service, namespace] = self._listen(service, namespace, ports)
            return self._open[service, namespace]

    def last_error(self, service: str, namespace: str) -> str:
        """Return why the last connection to a Service failed; empty if it did not fail."""
        with self._lock:
            return self._problems.get((service, namespace), "")

    def check_port(self, service: str, namespace: str, port: int) -> str:
        """Connect to a port of a Service; return why no pod accepts the connection, empty if one does.

        The protocol reports only refused connections, so a check takes `_REFUSAL` seconds.
        """
        local, client = socket.socketpair()
        with local, client:
            found = self._kube.get("v1/Service", service, namespace) or {}
            target = self._endpoints(namespace).choose(service, service_ports(found).get(port, ""), frozenset())
            if target is None:
                return self._endpoints(namespace).unavailable_reason(service)
            try:
                tunnel = self._tunnel(namespace, target)
                stream = tunnel.connect(target.port, client)
            except (HandshakeRefused, StreamBroken, EnvironmentFailed) as error:
                return _reason(error)
            stream.end.wait(_REFUSAL)
            tunnel.abandon(stream)
            self._release(namespace, target, tunnel)
            return _refusal(target, stream)

    def close(self) -> None:
        """Close all listeners and connections, and end their threads."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            watches, tunnels, clients = list(self._watches.values()), list(self._tunnels), list(self._clients)
        self._wake.send(b".")
        if self._thread:
            self._thread.join(_CONNECT_SECONDS)
        for listener in self._listeners:
            listener.close()
        for tunnel in tunnels:
            tunnel.close()
        for client in clients:
            reset_connection(client)
        for client in self._open_clients(_LONGEST_POLL):
            # The tunnel of this client waits until it reads.
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
        self._open_clients(_CONNECT_SECONDS)
        for each in watches:
            each.close()
        self._selector.close()
        self._wake.close()
        self._wake_reader.close()
        self._kube.close()

    def _open_clients(self, seconds: float) -> list[socket.socket]:
        """Return the client connections that are still open after some seconds."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                clients = list(self._clients)
            if not clients or time.monotonic() > until:
                return clients
            time.sleep(_SHORTEST_POLL)

    def _listen(self, service: str, namespace: str, ports: dict[int, str]) -> dict[int, Address]:
        self._endpoints(namespace)
        listeners = listen(tuple(ports), self._seed + len(self._open))
        for port, listener in listeners.items():
            listener.setblocking(False)
            self._listeners.append(listener)
            self._selector.register(listener, selectors.EVENT_READ, _Route(service, namespace, port, ports[port]))
        if self._thread is None:
            self._thread = threading.Thread(target=self._accept, name="seatrial-forwarder", daemon=True)
            self._thread.start()
        else:
            self._wake.send(b".")
        return {port: Address(*listener.getsockname()[:2]) for port, listener in listeners.items()}

    def _endpoints(self, namespace: str) -> EndpointWatch:
        with self._lock:
            if namespace not in self._watches:
                self._watches[namespace] = EndpointWatch(self._kube, namespace)
            return self._watches[namespace]

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._wake_reader.recv(_READ)
                    continue
                with suppress(OSError):
                    client, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    with self._lock:
                        self._clients.add(client)
                    threading.Thread(target=self._serve, args=(client, key.data), daemon=True).start()
            if self._closed:
                return

    def _serve(self, client: socket.socket, route: _Route) -> None:
        key = (route.service, route.namespace)
        parked = False
        try:
            client.setblocking(True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            parked = self._forward(client, route)
            self._problems.pop(key, None)
        except (_NoPod, SeatrialError) as error:
            self._problems[key] = str(error)
            reset_connection(client)
        except (OSError, StreamBroken):
            reset_connection(client)
        finally:
            with self._lock:
                self._clients.discard(client)
            if not parked:
                client.close()

    def _forward(self, client: socket.socket, route: _Route) -> bool:
        """Forward a connection until it ends; return True if only the pod still sends, which the tunnel handles.

        Raises:
            _NoPod: no pod accepted the connection.
            StreamBroken: the connection was lost.
        """
        until = time.monotonic() + _CONNECT_SECONDS
        endpoints, sent, avoid = self._endpoints(route.namespace), bytearray(), frozenset[str]()
        refused = ""
        while not self._closed:
            target = endpoints.choose(route.service, route.port_name, avoid)
            if target is not None:
                try:
                    tunnel = self._tunnel(route.namespace, target)
                    stream = tunnel.connect(target.port, client)
                except (HandshakeRefused, StreamBroken, EnvironmentFailed) as error:
                    refused = _reason(error)
                else:
                    parked = self._pump(client, tunnel, stream, sent)
                    self._release(route.namespace, target, tunnel)
                    if not stream.refused:
                        return parked
                    if len(sent) >= _RESEND:
                        raise StreamBroken(stream.refused)
                    refused = _refusal(target, stream)
                avoid |= {target.uid}
            if time.monotonic() > until:
                break
            endpoints.wait(5 * _SHORTEST_POLL)
        raise _NoPod(refused or endpoints.unavailable_reason(route.service))

    def _pump(self, client: socket.socket, tunnel: Tunnel, stream: Stream, sent: bytearray) -> bool:
        """Send the client's data; return True if the client closed its side first, and the tunnel continues."""
        poll, wait = select.poll(), _SHORTEST_POLL
        poll.register(client, select.POLLIN)
        try:
            if sent:
                tunnel.send(stream, bytes(sent))
            while True:
                # The pod may refuse the connection before the client sends anything.
                while not stream.over and not stream.answered and not poll.poll(wait * 1000):
                    wait = min(2 * wait, _LONGEST_POLL)
                if stream.refused:
                    return False
                data = client.recv(_READ)
                if stream.over:
                    return False
                if not data:
                    tunnel.park(stream)
                    return True
                if not stream.answered and len(sent) < _RESEND:
                    sent += data
                tunnel.send(stream, data)
        except (OSError, StreamBroken):
            tunnel.abandon(stream)
            if stream.refused:
                return False
            raise

    def _tunnel(self, namespace: str, target: Target) -> Tunnel:
        with self._lock:
            idle = self._idle[namespace, target.uid]
            while idle:
                if (tunnel := idle.pop()).alive:
                    return tunnel
            self._tunnels = {each for each in self._tunnels if each.alive}
        path = f"/api/v1/namespaces/{namespace}/pods/{target.pod}/portforward"
        web = self._kube.websocket(path, (PROTOCOL,), silence=_SILENCE)
        if web.subprotocol != PROTOCOL:
            web.close()
            raise EnvironmentFailed(
                "the cluster does not support port forwarding over WebSocket",
                reason=f"it does not offer the protocol {PROTOCOL}",
                hint="upgrade the cluster to Kubernetes 1.31 or newer",
            )
        tunnel = Tunnel(web)
        with self._lock:
            self._tunnels.add(tunnel)
        return tunnel

    def _release(self, namespace: str, target: Target, tunnel: Tunnel) -> None:
        with self._lock:
            idle = self._idle[namespace, target.uid]
            if tunnel.alive and len(idle) < _IDLE_TUNNELS and not self._closed:
                idle.append(tunnel)
                return
        tunnel.retire()


class _NoPod(Exception):
    """No pod accepted a connection; the message is the reason."""


def _refusal(target: Target, stream: Stream) -> str:
    if not stream.refused:
        return ""
    return f"pod {target.pod} refuses connections to port {target.port}: {stream.refused}"


def _reason(error: Exception) -> str:
    if isinstance(error, HandshakeRefused):
        try:
            return str(json.loads(error.body)["message"])
        except (ValueError, KeyError, TypeError):
            return str(error)
    return f"{error}: {error.reason}" if isinstance(error, SeatrialError) and error.reason else str(error)
