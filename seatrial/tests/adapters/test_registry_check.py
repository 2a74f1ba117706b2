"""Check whether a container registry answers."""

from __future__ import annotations

import http.server
import socket
import threading

import pytest
from seatrial.adapters.registry_check import registry_problem


@pytest.fixture
def registry():
    """A registry with prepared answers, and its host."""

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200
        headers_sent: tuple[tuple[str, str], ...] = ()

        def do_GET(self) -> None:
            self.send_response(Handler.status)
            for name, value in Handler.headers_sent:
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Handler, f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "headers", "problem"),
    [
        (200, (), ""),
        (401, (("Www-Authenticate", "Bearer"),), ""),
        (403, (), "HTTP status 403 instead of the answer of a registry"),
        (404, (), "HTTP status 404 instead of the answer of a registry"),
    ],
)
def test_answering_registry_has_no_problem(registry, status, headers, problem):
    handler, host = registry
    handler.status, handler.headers_sent = status, headers

    assert registry_problem(host, timeout=5) == problem


def test_unreachable_registry_has_the_socket_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "refused" in registry_problem(f"127.0.0.1:{port}", timeout=5)
