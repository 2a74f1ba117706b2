"""The HTTP client of debug pods against a server."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Shop(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.send_response(404 if self.path == "/none" else 200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['X-Who']}".encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Location", "/orders/1")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def shop():
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_http_prints_only_the_body_on_stdout(client, shop):
    done = client("http", "-H", "X-Who: me", f"http://{shop}/stock?a=b")

    assert (done.returncode, done.stdout) == (0, "/stock?a=b me\n")
    assert done.stderr.startswith("200 OK from 127.0.0.1 port ")


def test_http_accepts_a_host_without_scheme(client, shop):
    assert client("http", shop).stdout == "/ None\n"


def test_http_posts_data(client, shop):
    done = client("http", "-i", "-d", "tea=2", f"{shop}/orders")

    assert (done.returncode, done.stdout) == (0, "tea=2\n")
    assert "Location: /orders/1\n" in done.stderr


def test_http_exits_with_1_for_an_error_status(client, shop):
    done = client("http", f"{shop}/none")

    assert done.returncode == 1
    assert done.stderr.startswith("404 Not Found")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["http://127.0.0.1:1/"], "http: [Errno 111] Connection refused\n"),
        (["ftp://x/"], "http: 'ftp://x/' is not a URL such as http://NAME:PORT/PATH\n"),
        (["-H", "none", "x"], "http: header 'none' has no colon; the format is NAME: VALUE\n"),
    ],
)
def test_http_prints_an_error_in_one_line(client, argv, said):
    done = client("http", *argv)

    assert (done.returncode, done.stderr) == (1, said)


def test_http_reports_a_response_that_is_not_http(client):
    def greet():
        with server.accept()[0] as connection:
            connection.send(b"SSH-2.0\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, daemon=True).start()
        done = client("http", f"127.0.0.1:{server.getsockname()[1]}")
    assert "is not HTTP: " in done.stderr
