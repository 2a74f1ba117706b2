from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest


def test_healthy(api: httpx.Client) -> None:
    assert api.get("/health").json() == {"status": "ok"}


def test_an_order_is_kept(api: httpx.Client, order: dict[str, object]) -> None:
    assert api.get(f"/orders/{order['id']}").json() == order


def test_an_order_is_a_row(order: dict[str, object], database: psycopg.Connection[Any]) -> None:
    row = database.execute("SELECT item, quantity FROM orders WHERE id = %s", (order["id"],)).fetchone()

    assert row == (order["item"], order["quantity"])


def test_the_database_refuses_what_the_api_does(database: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="quantity"):
        database.execute("INSERT INTO orders (item, quantity) VALUES ('tea', 0)")
