from __future__ import annotations

import socket

import httpx
import pytest


def test_the_service_has_a_name_in_dns() -> None:
    assert socket.getaddrinfo("orders-api", 80)


def test_healthy(api: httpx.Client) -> None:
    assert api.get("/health").json() == {"status": "ok"}


def test_an_order_is_kept(api: httpx.Client, order: dict[str, object]) -> None:
    assert api.get(f"/orders/{order['id']}").json() == order


def test_it_is_in_the_list(api: httpx.Client, order: dict[str, object]) -> None:
    assert order in api.get("/orders").json()


def test_an_order_can_be_deleted(api: httpx.Client, order: dict[str, object]) -> None:
    assert api.delete(f"/orders/{order['id']}").status_code == httpx.codes.NO_CONTENT
    assert api.get(f"/orders/{order['id']}").status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("quantity", [0, -1])
def test_quantities_are_positive(api: httpx.Client, quantity: int) -> None:
    answer = api.post("/orders", json={"item": "tea", "quantity": quantity})

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
