"""Probe whether a service works: one request per port, whose answer proves more than an open port.

Each probe returns on success and raises `ProbeFailed` otherwise. It takes at most `SECONDS` for the connection and
`SECONDS` for the answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

SECONDS: Final = 3.0

Probe = Callable[[str, int], None]
"""Called with host and port."""


class ProbeFailed(Exception):
    """The service did not answer as expected; the message says what it did instead."""


def http(path: str, *, statuses: frozenset[int] = frozenset({200}), contains: str = "") -> Probe:
    """Return a probe that sends an HTTP GET and expects one of these statuses, and this text if given."""

    def ask(host: str, port: int) -> None:
        url = f"http://{host}:{port}{path}"
        try:
            answer = httpx.get(url, timeout=SECONDS)
        except httpx.HTTPError as error:
            raise ProbeFailed(f"GET {url}: {error or type(error).__name__}") from None
        if answer.status_code not in statuses:
            raise ProbeFailed(
                f"GET {url}: status {answer.status_code}, expected {' or '.join(map(str, sorted(statuses)))}"
            )
        if contains not in answer.text:
            raise ProbeFailed(f"GET {url}: the answer does not contain {contains!r}")

    return ask


def otlp(host: str, port: int) -> None:
    """Send an empty batch of spans by OTLP/HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp."""
    url = f"http://{host}:{port}/v1/traces"
    try:
        answer = httpx.post(url, json={"resourceSpans": []}, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise ProbeFailed(f"POST {url}: {error or type(error).__name__}") from None
    if not answer.is_success:
        raise ProbeFailed(f"POST {url}: status {answer.status_code}")


def sql(variable: str) -> Probe:
    """Return a probe that logs in with the URI in a variable, at the given host and port, and runs a query."""

    def ask(host: str, port: int) -> None:
        uri = os.environ.get(variable)
        if not uri:
            raise ProbeFailed(f"{variable} is not set; the runner's pod gets it from the chart's Secret")
        try:
            where = make_conninfo(uri, host=host, port=port, connect_timeout=int(SECONDS))
            with psycopg.connect(where, options=f"-c statement_timeout={int(SECONDS * 1000)}") as connection:
                connection.execute("select 1")
        except psycopg.Error as error:
            raise ProbeFailed(f"select 1 at {host}:{port}: {error}".strip()) from None

    return ask


PROBES: Final[Mapping[tuple[str, int], Probe]] = MappingProxyType(
    {
        # Polaris answers 401 to a request without a token; the stand-in requires none.
        ("polaris", 8181): http("/api/catalog/v1/config?warehouse=floe", statuses=frozenset({200, 401})),
        # This includes a query of its database.
        ("polaris", 8182): http("/q/health/ready", contains="UP"),
        ("localstack", 4566): http("/warehouse?list-type=2&max-keys=1", contains="<Name>warehouse</Name>"),
        ("postgresql", 5432): sql("FLOE_DAGSTER_DATABASE_URI"),
        ("jaeger", 16686): http("/api/services", contains='"errors":null'),
        ("jaeger", 4318): otlp,
    }
)
"""The probe for each port of floe's services."""
