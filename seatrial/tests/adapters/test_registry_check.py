from __future__ import annotations

import http.server
import socket
import threading

import pytest
from seatrial.adapters.registry_check import registry_silence


@pytest.fixture
def registry():
    """A registry that answers as told, and its host."""

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
    ("status", "headers", "silence"),
    [
        (200, (), ""),
        (401, (("Www-Authenticate", "Bearer"),), ""),
        (403, (), "answers 403, which is no registry's answer"),
        (404, (), "answers 404, which is no registry's answer"),
    ],
)
def test_registries_that_answer(registry, status, headers, silence):
    handler, host = registry
    handler.status, handler.headers_sent = status, headers

    assert registry_silence(host, timeout=5) == silence


def test_a_registry_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "refused" in registry_silence(f"127.0.0.1:{port}", timeout=5)
