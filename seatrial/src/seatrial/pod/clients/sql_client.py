"""Implement `sql URL STATEMENT`: print the rows of a query, tab-separated, with the column names."""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import urllib.parse
from importlib import import_module

__all__ = ["main"]

_TIMEOUT = 10.0
_POSTGRES = ("postgresql", "postgres")


def main(arguments: list[str]) -> int:
    """Log in, run the statements and print the results: PostgreSQL directly, other databases through SQLAlchemy."""
    parser = argparse.ArgumentParser(prog="sql", description="Run a query in a database.")
    parser.add_argument(
        "url",
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or the name of a variable with the URL",
    )
    parser.add_argument("statement", metavar="STATEMENT", nargs="?", default="SELECT version()")
    options = parser.parse_args(arguments)
    url = options.url if "://" in options.url else os.environ.get(options.url, "")
    if not url:
        raise ValueError(f"{options.url!r} is neither a URL nor a variable with a URL; list variables: env | grep ://")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.partition("+")[0] not in _POSTGRES:
        return _by_sqlalchemy(url, options.statement)
    probes = import_module(f"{__package__}.probes")
    with socket.create_connection((parts.hostname or "localhost", parts.port or 5432), timeout=_TIMEOUT) as connection:
        connection.settimeout(None)
        complaint = probes.Postgres(connection).ask(*probes.login(url), options.statement, _print)
    if complaint:
        raise ValueError(complaint)
    return 0


def _print(kind: bytes, body: bytes) -> None:
    """Print a message of the server: T has the column names, D is a row, C is the command tag."""
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
        raise ValueError(f"{scheme} requires SQLAlchemy and a driver in the image") from None
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
