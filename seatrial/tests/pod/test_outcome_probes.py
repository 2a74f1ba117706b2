"""The probes that log in: PostgreSQL's protocol and S3's signature, held against servers that check both."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socketserver
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from seatrial.pod.fixtures import probes

PASSWORD = "pass word/1"
URI = "postgresql://dagster:pass%20word%2F1@elsewhere:1/runs"


def message(kind, body):
    return kind + (len(body) + 4).to_bytes(4) + body


class Database(socketserver.BaseRequestHandler):
    """A PostgreSQL server as far as a probe gets: it checks password and query."""

    method = "scram"
    seen: dict[str, str] = {}  # noqa: RUF012

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.request.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def message(self):
        kind, size = self.take(1), int.from_bytes(self.take(4))
        return kind, self.take(size - 4)

    def handle(self):
        with suppress(ConnectionError):
            self.serve()

    def serve(self):
        words = self.take(int.from_bytes(self.take(4)) - 4)[4:].decode().split("\0")
        self.seen.update(zip(words[::2], words[1::2], strict=False))
        good = getattr(self, self.method)()
        if not good:
            self.request.sendall(message(b"E", b"SFATAL\0Mpassword authentication failed\0\0"))
            return
        self.request.sendall(message(b"R", bytes(4)) + message(b"S", b"a\0b\0") + message(b"Z", b"I"))
        sql = self.message()[1].decode().rstrip("\0")
        if sql == "SELECT 1":
            columns = b"".join(name + b"\0" + bytes(18) for name in (b"one", b"two"))
            row = (1).to_bytes(4) + b"1" + (-1).to_bytes(4, signed=True)
            two = (2).to_bytes(2)
            self.request.sendall(message(b"T", two + columns) + message(b"D", two + row))
            self.request.sendall(message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))
            self.message()
        else:
            self.request.sendall(message(b"E", b"SERROR\0Msyntax error\0\0") + message(b"Z", b"I"))

    def trust(self):
        return True

    def clear(self):
        self.request.sendall(message(b"R", (3).to_bytes(4)))
        return self.message()[1] == PASSWORD.encode() + b"\0"

    def md5(self):
        self.request.sendall(message(b"R", (5).to_bytes(4) + b"salt"))
        inner = hashlib.md5((PASSWORD + "dagster").encode()).hexdigest()
        return self.message()[1] == b"md5" + hashlib.md5(inner.encode() + b"salt").hexdigest().encode() + b"\0"

    def kerberos(self):
        self.request.sendall(message(b"R", (2).to_bytes(4)))
        return True

    def scram(self):
        """RFC 5802 from the server's side."""
        self.request.sendall(message(b"R", (10).to_bytes(4) + b"SCRAM-SHA-256\0\0"))
        body = self.message()[1]
        name, _, rest = body.partition(b"\0")
        assert name == b"SCRAM-SHA-256"
        first = rest[4:].decode().removeprefix("n,,")
        nonce = first.partition(",r=")[2] + "server"
        said = f"r={nonce},s={base64.b64encode(b'salt').decode()},i=4096"
        self.request.sendall(message(b"R", (11).to_bytes(4) + said.encode()))
        last, _, proof = self.message()[1].decode().partition(",p=")
        assert last == f"c=biws,r={nonce}"
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 4096)
        stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        signature = hmac.digest(stored, f"{first},{said},{last}".encode(), "sha256")
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        good = hashlib.sha256(key).digest() == stored
        if good:
            self.request.sendall(message(b"R", (12).to_bytes(4) + b"v=proof"))
        return good


@contextmanager
def database(method):
    handler = type("It", (Database,), {"method": method, "seen": {}})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1], handler
        server.shutdown()


def ask(port, sql="SELECT 1"):
    service = {"scheme": "postgresql", "ready": {"sql": sql, "uri-from": "SHOP_URI"}}
    return probes.answer(probes.question(service, "127.0.0.1", port))


@pytest.mark.parametrize("method", ["trust", "clear", "md5", "scram"])
def test_sql(method, monkeypatch):
    monkeypatch.setenv("SHOP_URI", URI)
    with database(method) as (port, handler):
        assert ask(port) == ""
        assert (handler.seen["user"], handler.seen["database"]) == ("dagster", "runs")
        assert ask(port, "SELEC 1") == "syntax error"
        monkeypatch.setenv("SHOP_URI", URI.replace("word", "wrod"))
        if method != "trust":
            assert ask(port) == "password authentication failed"


def test_sql_that_cannot_be_asked(monkeypatch):
    with database("kerberos") as (port, _):
        assert ask(port) == "SHOP_URI is not set"
        monkeypatch.setenv("SHOP_URI", URI)
        assert ask(port) == "the server wants authentication method 2, which this probe does not know"
    assert "refused" in ask(port)


class Bucket(BaseHTTPRequestHandler):
    """S3 as far as a probe gets: it checks the signature by the published algorithm."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        path, _, query = self.path.partition("?")
        said = dict(part.split("=", 1) for part in self.headers["Authorization"].partition(" ")[2].split(", "))
        scope = said["Credential"].partition("/")[2]
        names = said["SignedHeaders"].split(";")
        lines = ["GET", path, query, *(f"{name}:{self.headers[name]}" for name in names), "", ";".join(names)]
        canonical = "\n".join([*lines, self.headers["x-amz-content-sha256"]])
        text = "\n".join(
            ["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        key = b"AWS4secret"
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        good = hmac.digest(key, text.encode(), "sha256").hex() == said["Signature"]
        self.send_response(403 if not good else 200 if path == "/ware%20house" else 404)
        self.end_headers()
        self.wfile.write(b"<Code>NoSuchBucket</Code>")


def test_bucket(monkeypatch):
    for name, value in {"ID": "key", "SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(f"AWS_ACCESS_KEY_{name}" if name == "ID" else f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    def look(bucket):
        return probes.answer(probes.question({"ready": {"bucket": bucket}}, "127.0.0.1", server.server_address[1]))

    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert look("ware house") == ""
        assert look("other") == "HTTP status 404: <Code>NoSuchBucket</Code>"
        monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "wrong")
        assert look("ware house").startswith("HTTP status 403")
        server.shutdown()
