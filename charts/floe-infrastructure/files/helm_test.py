"""Check each service by its Service name; exit 1 if one does not answer as expected."""

from __future__ import annotations

import os
import socket
import struct
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT = 10.0


def http(url: str, *wanted: int) -> str:
    """Return the status line of a GET if its status is in `wanted`."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    if status not in wanted:
        raise OSError(f"{url} answers {status}, expected {' or '.join(map(str, wanted))}")
    return f"{url} {status}"


def postgresql() -> str:
    """Request TLS as a client does; PostgreSQL answers S (yes) or N (no).

    https://www.postgresql.org/docs/17/protocol-message-formats.html (SSLRequest)
    """
    with socket.create_connection(("postgresql", 5432), timeout=TIMEOUT) as connection:
        connection.sendall(struct.pack("!ii", 8, 80877103))
        answer = connection.recv(1)
    if answer not in (b"S", b"N"):
        raise OSError(f"postgresql:5432 does not speak PostgreSQL: {answer!r}")
    return "postgresql:5432 speaks PostgreSQL"


def main() -> int:
    """Check all services and print the results."""
    checks: list[Callable[[], str]] = [
        postgresql,
        lambda: http(f"http://localstack:4566/{os.environ['BUCKET']}?list-type=2", 200),
        lambda: http("http://polaris:8182/q/health/ready", 200),
        # 401: the catalog requires a token.
        lambda: http(f"http://polaris:8181/api/catalog/v1/config?warehouse={os.environ['WAREHOUSE']}", 200, 401),
        lambda: http("http://jaeger:16686/api/services", 200),
    ]
    failed = 0
    for check in checks:
        try:
            print("ok  ", check())
        except OSError as error:
            print("FAIL", error)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
