"""Implement `dns NAME`: query the names that the resolver of the pod tries, and print the answers of the DNS server."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator

__all__ = ["build_query", "main", "parse_response", "query_names"]

_TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28, "SRV": 33}
_CODES = {0: "no such record", 1: "FormErr", 2: "ServFail", 3: "NXDOMAIN", 5: "Refused"}
_PORT = 53
_TIMEOUT = 2.0
_POINTER = 0xC0


def main(arguments: list[str]) -> int:
    """Query the first server for each name until one has a record, as resolvers do. Exit code 1: no record found."""
    parser = argparse.ArgumentParser(prog="dns", description="Resolve a name like the programs in this pod.")
    parser.add_argument("name", metavar="NAME", help="web, web.shop, web.shop.svc.cluster.local")
    parser.add_argument("type", metavar="TYPE", nargs="?", default="A", type=str.upper, choices=sorted(_TYPES))
    parser.add_argument("--server", metavar="ADDRESS", help="DNS server; default: the first one in /etc/resolv.conf")
    parser.add_argument("--resolv-conf", metavar="FILE", default="/etc/resolv.conf")
    options = parser.parse_args(arguments)
    with open(options.resolv_conf, encoding="utf-8") as file:
        servers, search, ndots = settings(file.read())
    server = options.server or next(iter(servers), "")
    if not server:
        raise ValueError(f"{options.resolv_conf} names no DNS server")
    host, _, port = server.partition("#")
    for name in query_names(options.name, search, ndots):
        began = time.monotonic()
        code, found = query(host, int(port or _PORT), name, _TYPES[options.type])
        milliseconds = 1000 * (time.monotonic() - began)
        answer = ", ".join(found) or _CODES.get(code, f"error {code}")
        print(f"{name}  {options.type}  {answer}  ({host}, {milliseconds:.0f} ms)")
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


def query_names(name: str, search: list[str], ndots: int) -> Iterator[str]:
    """Yield absolute names in the order in which a resolver tries them."""
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


def query(host: str, port: int, name: str, kind: int) -> tuple[int, list[str]]:
    """Send a query; return the response code and the records of the requested type."""
    number = int.from_bytes(os.urandom(2), "big")
    message = build_query(number, name, kind)
    for address in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        with socket.socket(address[0], socket.SOCK_DGRAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(address[4])
            for _ in range(2):
                connection.send(message)
                try:
                    return parse_response(connection.recv(4096), number, kind)
                except socket.timeout:
                    continue
    raise OSError(f"{host} port {port} does not answer within {_TIMEOUT:g} s")


def build_query(number: int, name: str, kind: int) -> bytes:
    """Return a query message (RFC 1035, 4.1)."""
    labels = name.rstrip(".").encode("idna" if not name.isascii() else "ascii").split(b".")
    if not all(0 < len(label) < 64 for label in labels):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise ValueError(f"{name!r} is not a DNS name: each label must have 1 to 63 characters")
    question = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", kind, 1)


def parse_response(message: bytes, number: int, kind: int) -> tuple[int, list[str]]:
    """Return the response code and the records of the requested type.

    Raises:
        ValueError: the response is malformed, or belongs to another query.
    """
    try:
        given, flags, questions, answers = struct.unpack(">4H", message[:8])
        if given != number:
            raise ValueError("the response belongs to another query")
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
        raise ValueError("the response is malformed") from None
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
    """Return a name and the offset after it. Pointers refer to earlier offsets (RFC 1035, 4.1.4)."""
    labels, end, least = [], 0, len(message)
    while length := message[at]:
        if length >= _POINTER:
            end = end or at + 2
            at = ((length & 0x3F) << 8) | message[at + 1]
            if at >= least:
                raise ValueError("the response is malformed")
            least = at
        else:
            labels.append(message[at + 1 : at + 1 + length].decode(errors="replace"))
            at += length + 1
    return ".".join(labels) + ".", end or at + 1
