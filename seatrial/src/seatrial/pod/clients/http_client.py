"""Implement `http URL`: print the body on stdout; status, address and duration on stderr.

Exit code 1: the status is 400 or higher, or there is no response.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import time
import urllib.parse

__all__ = ["main"]

_FAILED = 400


def main(arguments: list[str]) -> int:
    """Send one request, without a proxy and without following redirects."""
    parser = argparse.ArgumentParser(prog="http", description="Send an HTTP request to a service.")
    parser.add_argument("url", metavar="URL", help="http://web:8080/stock, or web:8080/stock")
    parser.add_argument("-X", "--method", help="GET, or POST with data")
    parser.add_argument("-H", "--header", metavar="'NAME: VALUE'", action="append", default=[])
    parser.add_argument("-d", "--data", metavar="TEXT")
    parser.add_argument("-i", "--include", action="store_true", help="also print the headers of the response")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0)
    options = parser.parse_args(arguments)
    parts = urllib.parse.urlsplit(options.url if "://" in options.url else f"http://{options.url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{options.url!r} is not a URL such as http://NAME:PORT/PATH")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=options.timeout)
    headers = dict(_header(text) for text in options.header)
    method = options.method or ("GET" if options.data is None else "POST")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    began = time.monotonic()
    try:
        connection.connect()
        place = connection.sock.getpeername()
        body = None if options.data is None else options.data.encode()
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read()
    except http.client.HTTPException as error:
        raise ValueError(f"the response of {parts.netloc} is not HTTP: {error!r}") from None
    finally:
        connection.close()
    milliseconds = 1000 * (time.monotonic() - began)
    sys.stderr.write(f"{response.status} {response.reason} from {place[0]} port {place[1]} in {milliseconds:.0f} ms\n")
    if options.include:
        sys.stderr.write("".join(f"{name}: {value}\n" for name, value in response.getheaders()) + "\n")
    sys.stderr.flush()
    sys.stdout.buffer.write(content + (b"\n" if content and not content.endswith(b"\n") else b""))
    sys.stdout.buffer.flush()
    return int(response.status >= _FAILED)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"header {text!r} has no colon; the format is NAME: VALUE")
    return name.strip(), value.strip()
