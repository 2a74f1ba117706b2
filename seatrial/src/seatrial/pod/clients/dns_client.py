"""`dns NAME`: each name that the pod's resolver would try, in its order, with what the cluster's DNS answers to it."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator

__all__ = ["candidates", "main", "parse", "question"]

_TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28, "SRV": 33}
_CODES = {0: "no such record", 1: "FormErr", 2: "ServFail", 3: "NXDOMAIN", 5: "Refused"}
_PORT = 53
_PATIENCE = 2.0
_POINTER = 0xC0


def main(arguments: list[str]) -> int:
    """Ask the first server for each candidate until one has an answer, as resolvers do. Exit code 1: none has."""
    parser = argparse.ArgumentParser(prog="dns", description="Resolve a name as programs in this pod do.")
    parser.add_argument("name", metavar="NAME", help="web, web.shop, web.shop.svc.cluster.local")
    parser.add_argument("type", metavar="TYPE", nargs="?", default="A", type=str.upper, choices=sorted(_TYPES))
    parser.add_argument("--server", metavar="ADDRESS", help="ask this one in place of the first in /etc/resolv.conf")
    parser.add_argument("--resolv-conf", metavar="FILE", default="/etc/resolv.conf")
    asked = parser.parse_args(arguments)
    with open(asked.resolv_conf, encoding="utf-8") as file:
        servers, search, ndots = settings(file.read())
    server = asked.server or next(iter(servers), "")
    if not server:
        raise ValueError(f"no server is in {asked.resolv_conf}")
    host, _, port = server.partition("#")
    for name in candidates(asked.name, search, ndots):
        began = time.monotonic()
        code, found = ask(host, int(port or _PORT), name, _TYPES[asked.type])
        milliseconds = 1000 * (time.monotonic() - began)
        said = ", ".join(found) or _CODES.get(code, f"error {code}")
        print(f"{name}  {asked.type}  {said}  ({host}, {milliseconds:.0f} ms)")
        sys.stdout.flush()
        if found:
            return 0
    return 1


def settings(text: str) -> tuple[list[str], list[str], int]:
    """Return servers, search list and ndots of a resolv.conf (resolv.conf(5))."""
    servers: list[str] = []
    search: list[str] = []
    ndots = 1
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            servers.append(rest[0])
        elif word in ("search", "domain"):
            search = rest
        elif word == "options":
            ndots = next((int(each[6:]) for each in rest if each.startswith("ndots:")), ndots)
    return servers, search, ndots


def candidates(name: str, search: list[str], ndots: int) -> Iterator[str]:
    """Yield full names in the order in which a resolver tries them."""
    if name.endswith("."):
        yield name
        return
    enough = name.count(".") >= ndots
    if enough:
        yield f"{name}."
    for domain in search:
        yield f"{name}.{domain.rstrip('.')}."
    if not enough:
        yield f"{name}."


def ask(host: str, port: int, name: str, kind: int) -> tuple[int, list[str]]:
    """Return the code of a server's answer, and the records of the asked type in it."""
    number = int.from_bytes(os.urandom(2), "big")
    message = question(number, name, kind)
    for address in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        with socket.socket(address[0], socket.SOCK_DGRAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(address[4])
            for _ in range(2):
                connection.send(message)
                try:
                    return parse(connection.recv(4096), number, kind)
                except socket.timeout:
                    continue
    raise OSError(f"{host} port {port} does not answer questions within {_PATIENCE:g} s")


def question(number: int, name: str, kind: int) -> bytes:
    """Return a question (RFC 1035, 4.1)."""
    labels = name.rstrip(".").encode("idna" if not name.isascii() else "ascii").split(b".")
    if not all(0 < len(label) < 64 for label in labels):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise ValueError(f"{name!r} is not a name: its parts have 1 to 63 letters")
    asked = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + asked + struct.pack(">2H", kind, 1)


def parse(message: bytes, number: int, kind: int) -> tuple[int, list[str]]:
    """Return code and records of an answer."""
    try:
        given, flags, questions, answers = struct.unpack(">4H", message[:8])
        if given != number:
            raise ValueError("the answer is to another question")
        at = 12
        for _ in range(questions):
            at = _name(message, at)[1] + 4
        found = []
        for _ in range(answers):
            at = _name(message, at)[1]
            its, _, _, length = struct.unpack(">2HIH", message[at : at + 10])
            at += 10
            if its == kind:
                found.append(_record(message, at, length, its))
            at += length
    except (struct.error, IndexError):
        raise ValueError("the answer is broken") from None
    return flags & 15, found


def _record(message: bytes, at: int, length: int, kind: int) -> str:
    data = message[at : at + length]
    if kind in (_TYPES["A"], _TYPES["AAAA"]):
        return str(ipaddress.ip_address(data))
    if kind == _TYPES["SRV"]:
        _, _, port = struct.unpack(">3H", data[:6])
        return f"{_name(message, at + 6)[0]}:{port}"
    if kind == _TYPES["CNAME"]:
        return _name(message, at)[0]
    return data[1:].decode(errors="replace")


def _name(message: bytes, at: int) -> tuple[str, int]:
    """Return a name, and where what follows it begins. A pointer leads backwards (RFC 1035, 4.1.4)."""
    labels, end, least = [], 0, len(message)
    while length := message[at]:
        if length >= _POINTER:
            end = end or at + 2
            at = ((length & 0x3F) << 8) | message[at + 1]
            if at >= least:
                raise ValueError("the answer is broken")
            least = at
        else:
            labels.append(message[at + 1 : at + 1 + length].decode(errors="replace"))
            at += length + 1
    return ".".join(labels) + ".", end or at + 1
