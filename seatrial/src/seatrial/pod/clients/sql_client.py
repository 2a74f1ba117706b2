"""`sql URL STATEMENT`: rows on stdout, tab-separated under the names of their columns."""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import urllib.parse
from importlib import import_module

__all__ = ["main"]

_PATIENCE = 10.0
_POSTGRES = ("postgresql", "postgres")


def main(arguments: list[str]) -> int:
    """Log in, run the statements, print what comes back. PostgreSQL by itself, others by SQLAlchemy."""
    parser = argparse.ArgumentParser(prog="sql", description="Ask a database.")
    parser.add_argument(
        "url", metavar="URL", help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or a variable with it"
    )
    parser.add_argument("statement", metavar="STATEMENT", nargs="?", default="SELECT version()")
    asked = parser.parse_args(arguments)
    url = asked.url if "://" in asked.url else os.environ.get(asked.url, "")
    if not url:
        raise ValueError(f"{asked.url!r} is neither a URL nor a variable that has one: env | grep ://")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.partition("+")[0] not in _POSTGRES:
        return _by_sqlalchemy(url, asked.statement)
    probes = import_module(f"{__package__}.probes")
    with socket.create_connection((parts.hostname or "localhost", parts.port or 5432), timeout=_PATIENCE) as connection:
        connection.settimeout(None)
        complaint = probes.Postgres(connection).ask(*probes.login(url), asked.statement, _print)
    if complaint:
        raise ValueError(complaint)
    return 0


def _print(kind: bytes, body: bytes) -> None:
    """Print a message of the server: T names columns, D is a row, C says what was done."""
    if kind == b"T":
        names, at = [], 2
        for _ in range(struct.unpack(">H", body[:2])[0]):
            end = body.index(b"\0", at)
            names.append(body[at:end].decode())
            at = end + 19
        print("\t".join(names))
    elif kind == b"D":
        values, at = [], 2
        for _ in range(struct.unpack(">H", body[:2])[0]):
            length = struct.unpack(">i", body[at : at + 4])[0]
            at += 4
            values.append("NULL" if length < 0 else body[at : at + length].decode(errors="replace"))
            at += max(0, length)
        print("\t".join(values))
    elif kind == b"C":
        sys.stdout.flush()
        sys.stderr.write(body.rstrip(b"\0").decode(errors="replace") + "\n")


def _by_sqlalchemy(url: str, statement: str) -> int:
    scheme = urllib.parse.urlsplit(url).scheme
    try:
        sqlalchemy = import_module("sqlalchemy")
    except ImportError:
        raise ValueError(f"{scheme} needs SQLAlchemy and a driver in the image; PostgreSQL needs neither") from None
    try:
        with sqlalchemy.create_engine(url).begin() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            if result.returns_rows:
                print("\t".join(result.keys()))
                for row in result:
                    print("\t".join("NULL" if value is None else str(value) for value in row))
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise ValueError(str(error).strip().split("\n", 1)[0]) from None
    return 0
