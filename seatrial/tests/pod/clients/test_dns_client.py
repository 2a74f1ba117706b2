"""The DNS client of debug pods against a server with compressed responses."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager

import pytest
from seatrial.pod.clients.dns_client import build_query, main, parse_response, query_names, settings

RESOLV = """\
# as the kubelet writes it
search shop.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
options ndots:5 edns0
"""


def record(name, kind, data):
    return name + kind.to_bytes(2) + b"\0\1" + bytes(4) + len(data).to_bytes(2) + data


class Names(socketserver.BaseRequestHandler):
    """A DNS server with a few names and compressed responses."""

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


def ask(client, tmp_path, *argv):
    path = tmp_path / "resolv.conf"
    path.write_text(RESOLV)
    with names() as server:
        done = client("dns", "--server", server, "--resolv-conf", str(path), *argv)
    return done.returncode, [line.rpartition("  (127.0.0.1, ")[0] for line in done.stdout.splitlines()], done.stderr


def test_dns_prints_each_name_that_is_tried(client, tmp_path):
    assert ask(client, tmp_path, "web.shop") == (
        0,
        [
            "web.shop.shop.svc.cluster.local.  A  NXDOMAIN",
            "web.shop.svc.cluster.local.  A  10.96.0.7",
        ],
        "",
    )


def test_dns_prints_srv_txt_and_empty_answers(client, tmp_path):
    assert ask(client, tmp_path, "web", "srv")[1][-1].endswith("SRV  web.shop.svc.cluster.local.:8080")
    assert ask(client, tmp_path, "here.", "TXT")[1] == ["here.  TXT  hello"]
    assert ask(client, tmp_path, "web.shop.svc.cluster.local.", "AAAA")[:2] == (
        1,
        ["web.shop.svc.cluster.local.  AAAA  no such record"],
    )


def test_main_returns_the_exit_code(tmp_path, capsys):
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
    with pytest.raises(ValueError, match="names no DNS server"):
        main(["--resolv-conf", str(path), "web"])


def test_dns_exits_with_1_for_an_unknown_name(client, tmp_path):
    code, lines, _ = ask(client, tmp_path, "wbe")

    assert code == 1
    assert len(lines) == 4


def test_dns_refuses_an_empty_label(client, tmp_path):
    assert (
        ask(client, tmp_path, "a..b")[2]
        == "dns: 'a..b.shop.svc.cluster.local.' is not a DNS name: each label must have 1 to 63 characters\n"
    )


def test_query_names_follow_search_and_ndots():
    servers, search, ndots = settings(RESOLV)

    assert (servers, ndots) == (["10.96.0.10"], 5)
    assert next(query_names("a.b", search, 1)) == "a.b."
    assert list(query_names("a.b", search, 5))[-1] == "a.b."
    assert list(query_names("a.b.", search, 5)) == ["a.b."]


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_truncated_response_is_malformed(size):
    head = build_query(7, "a.b", 1)[:2] + b"\x81\x80\0\1\0\1" + bytes(4)
    whole = head + build_query(7, "a.b", 1)[12:] + record(b"\xc0\x0c", 1, bytes(4))
    assert parse_response(whole, 7, 1) == (0, ["0.0.0.0"])
    if size < len(whole) - 4:
        with pytest.raises(ValueError, match="malformed"):
            parse_response(whole[:size], 7, 1)


def test_circular_pointer_is_malformed():
    answer = b"\0\7\x81\x80\0\0\0\1" + bytes(4) + record(b"\xc0\x0c", 1, bytes(4))
    with pytest.raises(ValueError, match="malformed"):
        parse_response(answer, 7, 1)
