"""Access to the ports of services, with a `docker exec` that runs the command on this machine."""

from __future__ import annotations

import socket
import threading

import pytest
from seatrial.adapters.compose_forwarder import ComposeForwarder, is_local_linux
from seatrial.model.errors import EnvironmentFailed

DOCKER = """#!/bin/sh
shift
[ "$1" = -i ] && shift
shift
exec "$@"
"""


@pytest.fixture
def echo():
    """A server that sends back what it receives; returns its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture
def forwarder(tmp_path, monkeypatch, echo):
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    opened = []

    def forwarder(*containers, routed=False):
        found = containers or (container(),)
        opened.append(
            ComposeForwarder(lambda: list(found), relay="keeper", ports={"localhost": {echo}}, seed=4711, routed=routed)
        )
        return opened[-1]

    yield forwarder
    for each in opened:
        each.close()


def container(service="localhost", address="", running=True, **exposed):
    return {
        "Config": {
            "Labels": {"com.docker.compose.service": service},
            "ExposedPorts": {f"{port.removeprefix('p')}/{kind}": {} for port, kind in exposed.items()},
        },
        "State": {"Running": running},
        "NetworkSettings": {"Networks": {"default": {"IPAddress": address}}},
    }


def exchange(place, data=b"hello"):
    with socket.create_connection((place.host, place.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_connection_is_relayed_through_the_container(forwarder, echo):
    it = forwarder()
    place = it.open("localhost", "")[echo]

    assert exchange(place) == b"hello"
    assert exchange(place, b"x" * 300_000) == b"x" * 300_000
    assert it.open("localhost", "")[echo] == place


def test_address_of_a_container_is_used_where_the_host_routes_to_it(forwarder, echo):
    it = forwarder(container(address="127.0.0.1", p81="tcp", p53="udp"), routed=True)

    assert {port: (each.host, each.port) for port, each in it.open("localhost", "").items()} == {
        81: ("127.0.0.1", 81),
        echo: ("127.0.0.1", echo),
    }
    assert it.check_port("localhost", "", echo) == ""
    assert it.check_port("localhost", "", 81) == "Connection refused"


def test_connections_are_relayed_without_a_route(forwarder, echo, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.compose_forwarder._connect_error", lambda *_: "timed out")
    it = forwarder(container(address="192.0.2.1"), routed=True)

    assert exchange(it.open("localhost", "")[echo]) == b"hello"


def test_failed_connection_has_a_reason(forwarder, echo):
    it = forwarder(container(p1="tcp"))
    place = it.open("localhost", "")[1]

    assert exchange(place, b"") == b""
    assert "refused" in it.check_port("localhost", "", 1)
    assert "refused" in it.last_error("localhost", "")
    assert it.check_port("localhost", "", echo) == ""


def test_service_without_a_running_container_is_an_error(forwarder):
    it = forwarder(container(running=False))

    with pytest.raises(EnvironmentFailed, match="no container of service localhost runs"):
        it.open("localhost", "")


@pytest.mark.parametrize(
    ("environ", "local"),
    [
        ({}, True),
        ({"DOCKER_HOST": "unix:///run/docker.sock"}, True),
        ({"DOCKER_HOST": "ssh://server"}, False),
        ({"DOCKER_CONTEXT": "server"}, False),
    ],
)
def test_engine_of_another_machine_has_no_routes(monkeypatch, environ, local):
    monkeypatch.setattr("sys.platform", "linux")

    assert is_local_linux(environ) is local
