"""The clients of `seatrial debug`, as programs in a directory, against servers that answer."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from seatrial.pod.agent.wire import STATE_VARIABLE
from seatrial.pod.clients.dns_client import candidates, main, parse, question, settings
from seatrial.runner.agent_files import agent_files

from pod.fixtures.test_outcome_probes import database

RESOLV = """\
# as the kubelet writes it
search shop.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5 edns0
"""


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """Run a client by its name, as somebody in the pod does."""
    root = tmp_path_factory.mktemp("pod")
    agent = root / "seatrial_agent"
    agent.mkdir()
    for name, text in agent_files().items():
        (agent / name).write_text(text)
    argv = [sys.executable, "-I", "-S", str(agent / "agent.py"), "lend", str(root / "bin")]
    lender = subprocess.Popen(argv, env={STATE_VARIABLE: str(root)})
    while not (root / "bin").exists():
        assert lender.poll() is None
        time.sleep(0.01)

    def run(*argv, **env):
        program, *arguments = argv
        path = str(root / "bin" / program)
        return subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": "/bin:/usr/bin", **env},
        )

    yield run
    lender.terminate()
    assert lender.wait(10) == 0


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


class TestHttp:
    def test_the_answer_is_alone_on_stdout(self, client, shop):
        done = client("http", "-H", "X-Who: me", f"http://{shop}/stock?a=b")

        assert (done.returncode, done.stdout) == (0, "/stock?a=b me\n")
        assert done.stderr.startswith("200 OK from 127.0.0.1 port ")

    def test_a_host_alone_is_enough(self, client, shop):
        assert client("http", shop).stdout == "/ None\n"

    def test_data_is_posted(self, client, shop):
        done = client("http", "-i", "-d", "tea=2", f"{shop}/orders")

        assert (done.returncode, done.stdout) == (0, "tea=2\n")
        assert "Location: /orders/1\n" in done.stderr

    def test_a_bad_status_is_an_exit_code(self, client, shop):
        done = client("http", f"{shop}/none")

        assert done.returncode == 1
        assert done.stderr.startswith("404 Not Found")

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (["http://127.0.0.1:1/"], "http: [Errno 111] Connection refused\n"),
            (["ftp://x/"], "http: 'ftp://x/' is not the URL of an HTTP service: http://NAME:PORT/PATH\n"),
            (["-H", "none", "x"], "http: header 'none' has no colon: NAME: VALUE\n"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, client, argv, said):
        done = client("http", *argv)

        assert (done.returncode, done.stderr) == (1, said)

    def test_what_is_no_http_is_told(self, client):
        def greet():
            with server.accept()[0] as connection:
                connection.send(b"SSH-2.0\r\n")

        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=greet, daemon=True).start()
            done = client("http", f"127.0.0.1:{server.getsockname()[1]}")
        assert "speaks no HTTP" in done.stderr


def record(name, kind, data):
    return name + kind.to_bytes(2) + b"\0\1" + bytes(4) + len(data).to_bytes(2) + data


class Names(socketserver.BaseRequestHandler):
    """A DNS server that knows a few names, in compressed answers."""

    knows = {  # noqa: RUF012
        "web.shop.svc.cluster.local": {1: [bytes((10, 96, 0, 7))], 33: [bytes(4) + b"\x1f\x90\xc0\x0c"]},
        "here": {16: [b"\x05hello"]},
    }

    def handle(self):
        data, connection = self.request
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += length + 1
        kind = int.from_bytes(data[at + 1 : at + 3])
        found = self.knows.get(".".join(labels))
        answers = [record(b"\xc0\x0c", 5, b"\xc0\x0c")] if found else []
        answers += [record(b"\xc0\x0c", kind, each) for each in (found or {}).get(kind, [])]
        flags = 0x8180 | (0 if found else 3)
        head = data[:2] + flags.to_bytes(2) + b"\0\1" + len(answers).to_bytes(2) + bytes(4)
        connection.sendto(head + data[12 : at + 5] + b"".join(answers), self.client_address)


@contextmanager
def names():
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Names) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1#{server.server_address[1]}"
        server.shutdown()


class TestDns:
    def ask(self, client, tmp_path, *argv):
        path = tmp_path / "resolv.conf"
        path.write_text(RESOLV)
        with names() as server:
            done = client("dns", "--server", server, "--resolv-conf", str(path), *argv)
        return done.returncode, [line.rpartition("  (127.0.0.1, ")[0] for line in done.stdout.splitlines()], done.stderr

    def test_each_name_that_is_tried_is_told(self, client, tmp_path):
        assert self.ask(client, tmp_path, "web.shop") == (
            0,
            [
                "web.shop.shop.svc.cluster.local.  A  NXDOMAIN",
                "web.shop.svc.cluster.local.  A  10.96.0.7",
            ],
            "",
        )

    def test_other_records(self, client, tmp_path):
        assert self.ask(client, tmp_path, "web", "srv")[1][-1].endswith("SRV  web.shop.svc.cluster.local.:8080")
        assert self.ask(client, tmp_path, "here.", "TXT")[1] == ["here.  TXT  hello"]
        assert self.ask(client, tmp_path, "web.shop.svc.cluster.local.", "AAAA")[:2] == (
            1,
            ["web.shop.svc.cluster.local.  AAAA  no such record"],
        )

    def test_it_is_asked_by_whoever_imports_it(self, tmp_path, capsys):
        path = tmp_path / "resolv.conf"
        path.write_text(RESOLV)
        with names() as server:
            argv = ["--server", server, "--resolv-conf", str(path)]
            assert main([*argv, "web.shop"]) == 0
            assert main([*argv, "web.shop.svc.cluster.local.", "SRV"]) == 0
            assert main([*argv, "here.", "TXT"]) == 0
            assert main([*argv, "wbe"]) == 1
        assert "web.shop.svc.cluster.local.  A  10.96.0.7" in capsys.readouterr().out
        path.write_text("search x")
        with pytest.raises(ValueError, match="no server is in"):
            main(["--resolv-conf", str(path), "web"])

    def test_what_nobody_knows_is_an_exit_code(self, client, tmp_path):
        code, lines, _ = self.ask(client, tmp_path, "wbe")

        assert code == 1
        assert len(lines) == 4

    def test_a_name_that_is_none(self, client, tmp_path):
        assert (
            self.ask(client, tmp_path, "a..b")[2]
            == "dns: 'a..b.shop.svc.cluster.local.' is not a name: its parts have 1 to 63 letters\n"
        )

    def test_order_is_the_resolvers(self):
        servers, search, ndots = settings(RESOLV)

        assert (servers, ndots) == (["10.96.0.10"], 5)
        assert next(candidates("a.b", search, 1)) == "a.b."
        assert list(candidates("a.b", search, 5))[-1] == "a.b."
        assert list(candidates("a.b.", search, 5)) == ["a.b."]

    @pytest.mark.parametrize("size", range(0, 40, 3))
    def test_an_answer_that_is_cut_off_is_broken(self, size):
        head = question(7, "a.b", 1)[:2] + b"\x81\x80\0\1\0\1" + bytes(4)
        whole = head + question(7, "a.b", 1)[12:] + record(b"\xc0\x0c", 1, bytes(4))
        assert parse(whole, 7, 1) == (0, ["0.0.0.0"])
        if size < len(whole) - 4:
            with pytest.raises(ValueError, match="broken"):
                parse(whole[:size], 7, 1)

    def test_a_name_that_leads_in_a_circle_is_broken(self):
        answer = b"\0\7\x81\x80\0\0\0\1" + bytes(4) + record(b"\xc0\x0c", 1, bytes(4))
        with pytest.raises(ValueError, match="broken"):
            parse(answer, 7, 1)


class TestSql:
    def test_rows(self, client):
        with database("scram") as (port, _):
            uri = f"postgresql://dagster:pass%20word%2F1@127.0.0.1:{port}/runs"
            done = client("sql", "SHOP_URI", "SELECT 1", SHOP_URI=uri)
            assert (done.returncode, done.stdout, done.stderr) == (0, "one\ttwo\n1\tNULL\n", "SELECT 1\n")
            assert client("sql", uri, "SELEC 1").stderr == "sql: syntax error\n"

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (["NOT_SET"], "sql: 'NOT_SET' is neither a URL nor a variable that has one: env | grep ://\n"),
            (["postgresql://127.0.0.1:1/x"], "sql: [Errno 111] Connection refused\n"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, client, argv, said):
        done = client("sql", *argv)

        assert (done.returncode, done.stderr) == (1, said)

    def test_other_databases_by_the_images_own_drivers(self, client, tmp_path):
        done = client("sql", f"sqlite:///{tmp_path}/x.db", "SELECT 1 AS one, NULL AS two")
        assert (done.returncode, done.stdout) == (0, "one\ttwo\n1\tNULL\n")
        done = client("sql", f"sqlite:///{tmp_path}/x.db", "SELEC 1")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "syntax error" in done.stderr
