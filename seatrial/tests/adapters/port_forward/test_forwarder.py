"""Port forwarding between real sockets and a fake kubelet that speaks SPDY."""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from seatrial.adapters.port_forward.forwarder import KubeForwarder
from seatrial.model.errors import EnvironmentFailed

from adapters.fake_pods import Pods, endpoint, endpoint_slice

SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
SERVICE = "/api/v1/namespaces/shop/services/web"


@pytest.fixture
def pods(api):
    api.on("GET", SERVICE, (200, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 18080}]}}))
    return Pods(api)


def ready(api, *endpoints):
    api.on("GET", SLICES, (200, {"metadata": {"resourceVersion": "5"}, "items": [endpoint_slice("web", *endpoints)]}))


@pytest.fixture
def forwarder(kube):
    before = set(threading.enumerate())
    it = KubeForwarder(kube, seed=os.getpid())
    yield it
    it.close()
    until = time.monotonic() + 5
    while left := {thread for thread in set(threading.enumerate()) - before if "seatrial" in thread.name}:
        assert time.monotonic() < until, left
        time.sleep(0.02)


@contextmanager
def server(handle):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as it:
        threading.Thread(target=it.serve_forever, args=(0.02,), daemon=True).start()
        yield it.server_address[1]
        it.shutdown()


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def naming(name):
    def handle(connection):
        connection.sendall(name)

    return handle


def dial(forwarder):
    place = forwarder.open("web", "shop")[18080]
    return socket.create_connection((place.host, place.port), timeout=10)


def read_all(connection):
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def test_forwarder_passes_data_in_both_directions(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    sent = os.urandom(5_000_000)
    with server(echo) as port, dial_to(pods, forwarder, port) as client:
        writer = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
        writer.start()
        got = read_all(client)
        writer.join()

    assert hashlib.sha256(got).digest() == hashlib.sha256(sent).digest()


@contextmanager
def dial_to(pods, forwarder, port):
    pods.servers["web-1", 8080] = port
    with dial(forwarder) as client:
        yield client


def test_open_listens_on_the_port_of_the_service_on_a_separate_address(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    place = forwarder.open("web", "shop")[18080]

    assert place.port == 18080
    assert place.host.startswith("127.")
    assert place.host != "127.0.0.1"
    assert forwarder.open("web", "shop")[18080] == place


def test_successive_connections_reuse_tunnels(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    with server(naming(b"one")) as port:
        pods.servers["web-1", 8080] = port
        for _ in range(20):
            with dial(forwarder) as client:
                assert read_all(client) == b"one"
            time.sleep(0.01)

    assert len(pods.tunnels) < 5


def test_forwarder_serves_concurrent_connections(api, pods, forwarder):
    ready(api, endpoint("web-1"))

    def talk(number):
        word = f"{number}".encode() * 1000
        with dial(forwarder) as client:
            client.sendall(word)
            got = b""
            while len(got) < len(word):
                got += client.recv(65536)
        return got == word

    with server(echo) as port:
        pods.servers["web-1", 8080] = port
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(talk, range(100)))
    assert len(pods.tunnels) < 50


def test_connection_goes_to_the_newest_ready_pod(api, pods, forwarder):
    for name, created in (("old", "2026-01-01T00:00:00Z"), ("new", "2026-01-01T00:00:09Z"), ("newer", "2026-01-02")):
        api.on(
            "GET",
            f"/api/v1/namespaces/shop/pods/{name}",
            (200, {"metadata": {"uid": f"uid-{name}", "creationTimestamp": created}}),
        )
    ready(api, endpoint("old"), endpoint("new"), endpoint("newer", ready=False))
    with server(naming(b"old")) as first, server(naming(b"new")) as second:
        pods.servers |= {("old", 8080): first, ("new", 8080): second}
        with dial(forwarder) as client:
            assert read_all(client) == b"new"


def test_refused_connection_is_sent_to_another_pod_with_its_data(api, pods, forwarder):
    """The client sends first. Its data reaches the second pod, once."""
    ready(api, endpoint("web-1"), endpoint("web-2"))
    heard = []

    def handle(connection):
        heard.append(connection.recv(100))
        connection.sendall(b"ok")

    with server(handle) as port:
        pods.servers["web-1", 8080] = port
        with dial(forwarder) as client:
            client.sendall(b"hello")
            assert read_all(client) == b"ok"

    assert heard == [b"hello"]
    assert pods.tunnels == ["web-2", "web-1"], "of pods with the same age, the last one by name is first"


def test_connection_is_reset_if_no_pod_is_ready(api, pods, forwarder, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.port_forward.forwarder._CONNECT_SECONDS", 0.2)
    ready(api, endpoint("web-1", ready=False))
    with dial(forwarder) as client, pytest.raises(ConnectionResetError):
        client.recv(1)

    assert forwarder.last_error("web", "shop") == "none of the 1 pods of Service shop/web is ready"


def test_connection_is_reset_if_all_pods_refuse(api, pods, forwarder, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.port_forward.forwarder._CONNECT_SECONDS", 0.2)
    ready(api, endpoint("web-1"))
    with dial(forwarder) as client, pytest.raises(ConnectionResetError):
        client.recv(1)

    assert "pod web-1 refuses connections to port 8080: dial tcp4" in forwarder.last_error("web", "shop")


def test_connection_waits_for_a_pod_to_become_ready(api, pods, forwarder):
    ready(api)
    api.lines[SLICES] = [[]] * 3 + [
        [{"type": "ADDED", "object": endpoint_slice("web", endpoint("web-1"))}],
    ]
    with server(naming(b"late")) as port, dial_to(pods, forwarder, port) as client:
        assert read_all(client) == b"late"


def test_lost_tunnel_breaks_only_its_connection(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    with server(echo) as port, dial_to(pods, forwarder, port) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        pods.connections[-1].shutdown(socket.SHUT_RDWR)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with dial(forwarder) as again:
            again.sendall(b"b")
            assert again.recv(1) == b"b"


def test_error_after_the_first_byte_resets_the_connection(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    pods.errors["web-1"] = "read tcp4 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"
    with server(naming(b"half")) as port, dial_to(pods, forwarder, port) as client, pytest.raises(ConnectionResetError):
        read_all(client)


def test_last_error_has_the_answer_of_the_api(api, pods, forwarder, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.port_forward.forwarder._CONNECT_SECONDS", 0.2)
    ready(api, endpoint("web-1"))
    api.refuse = 404, {"message": 'pods "web-1" not found'}
    with dial(forwarder) as client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert forwarder.last_error("web", "shop") == 'pods "web-1" not found'

    api.refuse, api.subprotocol = None, ""
    with dial(forwarder) as client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert "does not support port forwarding over WebSocket" in forwarder.last_error("web", "shop")


def test_disconnected_client_cancels_the_connection_in_the_pod(api, pods, forwarder):
    ready(api, endpoint("web-1"))
    gone = threading.Event()

    def handle(connection):
        connection.sendall(b"x")
        while connection.recv(100):
            pass
        gone.set()

    with server(handle) as port, dial_to(pods, forwarder, port) as client:
        assert client.recv(1) == b"x"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert gone.wait(5)


def test_open_fails_for_missing_and_external_services(api, pods, forwarder):
    api.on("GET", "/api/v1/namespaces/shop/services/out", (200, {"spec": {"type": "ExternalName"}}))

    with pytest.raises(EnvironmentFailed, match="Service shop/db not found") as caught:
        forwarder.open("db", "shop")
    assert caught.value.hint == "seatrial up"
    with pytest.raises(EnvironmentFailed, match="no TCP ports"):
        forwarder.open("out", "shop")


def test_close_ends_a_connection_whose_client_does_not_read(api, pods, kube):
    ready(api, endpoint("web-1"))
    it = KubeForwarder(kube, seed=1)

    def flood(connection):
        while True:
            connection.sendall(bytes(1 << 20))

    with server(flood) as port, dial_to(pods, it, port):
        time.sleep(0.5)
        it.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "seatrial-tunnel"]


def test_close_resets_connections_and_closes_listeners(api, pods, kube):
    ready(api, endpoint("web-1"))
    it = KubeForwarder(kube, seed=1)
    with server(echo) as port, dial_to(pods, it, port) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        place = it.open("web", "shop")[18080]
        it.close()
        it.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((place.host, place.port), timeout=1)
