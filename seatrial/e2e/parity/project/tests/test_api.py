"""The tests of the planted pairs. Each looks at one property that a plant changes."""

import json
import os
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def get(service):
    """Provide a function that returns the decoded answer of a path of the API."""
    address = service("api").url

    def call(path):
        try:
            with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            body = error.read().decode()
            raise AssertionError(f"{address}{path}: HTTP {error.code}: {body}") from None

    return call


def test_stock(get):
    assert get("/stock") == {"tea": 3}


def test_mode(get):
    assert get("/settings")["mode"] == "exact"


def test_store_port(get):
    assert get("/settings")["store_port"] == "9000"


def test_load(get):
    assert get("/load")


def test_region():
    assert os.environ["REGION"] == "eu"


def test_rate(get):
    assert get("/rate") == 19


def test_order(get):
    assert get("/order") == ["a", "b"]


def test_greeting(get):
    assert get("/greeting") == "hello"


def test_price(get):
    assert get("/price") == 3.33


def test_work(get):
    assert [get("/work") for _ in range(4)] == [True] * 4


def test_by_name():
    with urllib.request.urlopen("http://api:8080/health", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "application/json"
