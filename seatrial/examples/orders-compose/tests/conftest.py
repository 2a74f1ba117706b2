from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest


@pytest.fixture(scope="session")
def api() -> Iterator[httpx.Client]:
    """A client of the API that Compose publishes."""
    with httpx.Client(base_url="http://localhost:8080", timeout=10) as client:
        deadline = time.monotonic() + 30
        while True:
            try:
                client.get("/health").raise_for_status()
                break
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        yield client


@pytest.fixture
def database() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the API's own database."""
    with psycopg.connect(
        host="localhost", port=5432, user="orders", password="earl-grey", dbname="orders", connect_timeout=5
    ) as connection:
        yield connection


@pytest.fixture
def order(api: httpx.Client) -> Iterator[dict[str, object]]:
    """Provide an order, deleted afterwards."""
    made = api.post("/orders", json={"item": "tea", "quantity": 2}).raise_for_status().json()
    yield made
    api.delete(f"/orders/{made['id']}")
