"""`http URL`: the answer on stdout; status, address and time on stderr. Exit code 1: status 400 or more, or none."""

from __future__ import annotations

import argparse
import http.client
import sys
import time
import urllib.parse

__all__ = ["main"]

_FAILED = 400


def main(arguments: list[str]) -> int:
    """Ask once, through no proxy and after no redirect: what is asked is the service itself."""
    parser = argparse.ArgumentParser(prog="http", description="Ask a service by HTTP.")
    parser.add_argument("url", metavar="URL", help="http://web:8080/stock, or web:8080/stock")
    parser.add_argument("-X", "--method", help="GET, or POST with data")
    parser.add_argument("-H", "--header", metavar="'NAME: VALUE'", action="append", default=[])
    parser.add_argument("-d", "--data", metavar="TEXT")
    parser.add_argument("-i", "--include", action="store_true", help="print the answer's headers too")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    parts = urllib.parse.urlsplit(asked.url if "://" in asked.url else f"http://{asked.url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{asked.url!r} is not the URL of an HTTP service: http://NAME:PORT/PATH")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=asked.timeout)
    headers = dict(_header(text) for text in asked.header)
    method = asked.method or ("GET" if asked.data is None else "POST")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    began = time.monotonic()
    try:
        connection.connect()
        place = connection.sock.getpeername()
        body = None if asked.data is None else asked.data.encode()
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
    except http.client.HTTPException as error:
        raise ValueError(f"what answers at {parts.netloc} speaks no HTTP: {error!r}") from None
    finally:
        connection.close()
    milliseconds = 1000 * (time.monotonic() - began)
    sys.stderr.write(f"{answer.status} {answer.reason} from {place[0]} port {place[1]} in {milliseconds:.0f} ms\n")
    if asked.include:
        sys.stderr.write("".join(f"{name}: {value}\n" for name, value in answer.getheaders()) + "\n")
    sys.stderr.flush()
    sys.stdout.buffer.write(content + (b"\n" if content and not content.endswith(b"\n") else b""))
    sys.stdout.buffer.flush()
    return int(answer.status >= _FAILED)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"header {text!r} has no colon: NAME: VALUE")
    return name.strip(), value.strip()
