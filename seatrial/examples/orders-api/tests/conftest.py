from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture(scope="session")
def api() -> Iterator[httpx.Client]:
    """Provide a client of the API by its Service name, as for other programs in the cluster."""
    with httpx.Client(base_url=os.environ.get("ORDERS_URL", "http://orders-api"), timeout=10) as client:
        yield client


@pytest.fixture
def order(api: httpx.Client) -> Iterator[dict[str, object]]:
    """Provide an order, deleted afterwards."""
    made = api.post("/orders", json={"item": "tea", "quantity": 2}).raise_for_status().json()
    yield made
    api.delete(f"/orders/{made['id']}")
