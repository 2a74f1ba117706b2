"""Services of a cluster on this machine: one local listener for each port, for as long as it is wanted.

Each connection goes to a pod that is ready when it comes: what breaks with a pod are the connections that were open to
it, and a pod that went a moment ago is noticed before anything is lost.
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
from seatrial.adapters.port_forward.endpoint_watch import Pods
from seatrial.adapters.port_forward.endpoints import Target, service_ports
from seatrial.adapters.port_forward.loopback import listen
from seatrial.adapters.port_forward.tunnel import PROTOCOL, Stream, Tunnel, cut
from seatrial.adapters.websocket import HandshakeRefused
from seatrial.model.errors import EnvironmentFailed, SeatrialError
from seatrial.ports import Address, StreamBroken

__all__ = ["KubeForwarder"]

_READ: Final = 64 * 1024
_REPLAY: Final = 256 * 1024
"""Bytes of a client that are kept until its pod answers, for another pod if the first refuses."""
_PATIENCE: Final = 3.0
"""Seconds for which a new connection looks for a pod that takes it."""
_FIRST_LOOK, _LAST_LOOK = 0.02, 0.25
_REFUSAL: Final = 0.3
"""Seconds after which a pod that has not refused a connection has taken it."""
_IDLE_TUNNELS: Final = 8
_SILENCE: Final = 4 * 3600.0
"""The kubelet ends idle streams after so long: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/."""


@dataclass(frozen=True, slots=True)
class _Route:
    """What a listener stands for."""

    service: str
    namespace: str
    port: int
    port_name: str


class KubeForwarder:
    """Forwards to Services of one cluster.

    Args:
        kube: its API; ours from now on.
        seed: an address in 127.0.0.0/8 is looked for from here on; a process that knows nothing gives its id.
    """

    def __init__(self, kube: KubeApi, *, seed: int) -> None:
        self._kube = kube
        self._seed = seed
        self._lock = threading.RLock()
        self._pods: dict[str, Pods] = {}
        self._open: dict[tuple[str, str], dict[int, Address]] = {}
        self._listeners: list[socket.socket] = []
        self._clients: set[socket.socket] = set()
        self._idle: defaultdict[tuple[str, str], list[Tunnel]] = defaultdict(list)
        self._tunnels: set[Tunnel] = set()
        self._problems: dict[tuple[str, str], str] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, woken = socket.socketpair()
        self._woken = woken
        self._selector.register(woken, selectors.EVENT_READ)
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self, service: str, namespace: str) -> dict[int, Address]:
        """Return where each TCP port of a Service is to be had on this machine, from now until `close`.

        All ports have the same address, one that no other Service has, and their real numbers where the system allows
        that; else a free one: below 1024 without rights, or where somebody listens on all addresses.

        Raises:
            EnvironmentFailed: there is no such Service, or it has no TCP ports of its own.
        """
        with self._lock:
            if (service, namespace) not in self._open:
                found = self._kube.get("v1/Service", service, namespace)
                if found is None:
                    raise EnvironmentFailed(f"the cluster has no Service {namespace}/{service}", hint="seatrial up")
                ports = service_ports(found)
                if not ports or (found.get("spec") or {}).get("type") == "ExternalName":
                    raise EnvironmentFailed(f"Service {namespace}/{service} has no TCP ports that lead to pods")
                self._open[service, namespace] = self._listen(service, namespace, ports)
            return self._open[service, namespace]

    def problem(self, service: str, namespace: str) -> str:
        """Return why connections to a Service fail, as far as that is known; empty if the last one did not."""
        with self._lock:
            return self._problems.get((service, namespace), "")

    def reach(self, service: str, namespace: str, port: int) -> str:
        """Try a port of a Service; return why no pod takes connections there, empty if one does.

        Nobody says that a connection is there, only that it is not: that takes what `_REFUSAL` says.
        """
        ours, client = socket.socketpair()
        with ours, client:
            found = self._kube.get("v1/Service", service, namespace) or {}
            target = self._behind(namespace).choose(service, service_ports(found).get(port, ""), frozenset())
            if target is None:
                return self._behind(namespace).silence(service)
            try:
                tunnel = self._tunnel(namespace, target)
                stream = tunnel.connect(target.port, client)
            except (HandshakeRefused, StreamBroken, EnvironmentFailed) as error:
                return _why(error)
            stream.end.wait(_REFUSAL)
            tunnel.abandon(stream)
            self._release(namespace, target, tunnel)
            return _refusal(target, stream)

    def close(self) -> None:
        """End all listeners and connections, and the threads behind them."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            pods, tunnels, clients = list(self._pods.values()), list(self._tunnels), list(self._clients)
        self._wake.send(b".")
        if self._thread:
            self._thread.join(_PATIENCE)
        for listener in self._listeners:
            listener.close()
        for tunnel in tunnels:
            tunnel.close()
        for client in clients:
            cut(client)
        for client in self._left(_LAST_LOOK):
            # Its tunnel waits for it to read.
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
        self._left(_PATIENCE)
        for each in pods:
            each.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()
        self._kube.close()

    def _left(self, seconds: float) -> list[socket.socket]:
        """Return the connections that their threads have not let go of after so long."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                left = list(self._clients)
            if not left or time.monotonic() > until:
                return left
            time.sleep(_FIRST_LOOK)

    def _listen(self, service: str, namespace: str, ports: dict[int, str]) -> dict[int, Address]:
        self._behind(namespace)
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

    def _behind(self, namespace: str) -> Pods:
        with self._lock:
            if namespace not in self._pods:
                self._pods[namespace] = Pods(self._kube, namespace)
            return self._pods[namespace]

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._woken.recv(_READ)
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
            parked = self._carry(client, route)
            self._problems.pop(key, None)
        except (_NoPod, SeatrialError) as error:
            self._problems[key] = str(error)
            cut(client)
        except (OSError, StreamBroken):
            cut(client)
        finally:
            with self._lock:
                self._clients.discard(client)
            if not parked:
                client.close()

    def _carry(self, client: socket.socket, route: _Route) -> bool:
        """Carry a connection to its end, or until only its pod has something to say: then return True.

        Raises:
            _NoPod: no pod took it.
            StreamBroken: it was cut.
        """
        until = time.monotonic() + _PATIENCE
        behind, sent, avoid = self._behind(route.namespace), bytearray(), frozenset[str]()
        refused = ""
        while not self._closed:
            target = behind.choose(route.service, route.port_name, avoid)
            if target is not None:
                try:
                    tunnel = self._tunnel(route.namespace, target)
                    stream = tunnel.connect(target.port, client)
                except (HandshakeRefused, StreamBroken, EnvironmentFailed) as error:
                    refused = _why(error)
                else:
                    parked = self._pump(client, tunnel, stream, sent)
                    self._release(route.namespace, target, tunnel)
                    if not stream.refused:
                        return parked
                    if len(sent) >= _REPLAY:
                        raise StreamBroken(stream.refused)
                    refused = _refusal(target, stream)
                avoid |= {target.uid}
            if time.monotonic() > until:
                break
            behind.wait(5 * _FIRST_LOOK)
        raise _NoPod(refused or behind.silence(route.service))

    def _pump(self, client: socket.socket, tunnel: Tunnel, stream: Stream, sent: bytearray) -> bool:
        """Send what the client says; return True if it ended its side before its pod did, and the tunnel goes on."""
        poll, wait = select.poll(), _FIRST_LOOK
        poll.register(client, select.POLLIN)
        try:
            if sent:
                tunnel.send(stream, bytes(sent))
            while True:
                # The pod may yet refuse, which must not wait for the client to say something.
                while not stream.over and not stream.answered and not poll.poll(wait * 1000):
                    wait = min(2 * wait, _LAST_LOOK)
                if stream.refused:
                    return False
                data = client.recv(_READ)
                if stream.over:
                    return False
                if not data:
                    tunnel.finish(stream)
                    return True
                if not stream.answered and len(sent) < _REPLAY:
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
            raise EnvironmentFailed("the cluster forwards no ports over WebSocket", hint="use Kubernetes 1.31 or newer")
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
    """No pod took a connection; the message says why."""


def _refusal(target: Target, stream: Stream) -> str:
    if not stream.refused:
        return ""
    return f"pod {target.pod} does not take connections to port {target.port}: {stream.refused}"


def _why(error: Exception) -> str:
    if isinstance(error, HandshakeRefused):
        try:
            return str(json.loads(error.body)["message"])
        except (ValueError, KeyError, TypeError):
            return str(error)
    return f"{error}: {error.reason}" if isinstance(error, SeatrialError) and error.reason else str(error)
