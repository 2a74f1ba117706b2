"""Tests that fail by their own fault, while pods restart that have nothing to do with them."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
import time

import httpx
import pytest

STACKS = "abc"


def wrong_number(url):
    assert len(httpx.get(url).text) == 12


def wrong_status(url):
    assert httpx.get(url).status_code == 404


def wrong_text(url):
    assert httpx.get(url).text == "Connection refused"


def wrong_path(url):
    httpx.get(f"{url}/live").raise_for_status()
    assert httpx.get(f"{url}/live").text == "/dead"


def missing_key(url):
    json.loads('{"stock": 3}')[httpx.get(url).text]


def wrong_type(url):
    httpx.get(url).text + 3


def own_exception(url):
    raise ValueError(f"order of {url} has no price")


def own_timeout(_url):
    queue.Queue().get(timeout=0.05)


def refused_elsewhere(_url):
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def unknown_host(_url):
    httpx.get("http://wbe.invalid:8080/")


def own_program(_url):
    subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)


def own_deadline(_url):
    raise TimeoutError("the order was not shipped in time")


def division(_url):
    assert 1 / 0


def own_words(_url):
    raise RuntimeError("the connection between order and invoice was lost")


FAILURES = (
    wrong_number, wrong_status, wrong_text, wrong_path, missing_key, wrong_type, own_exception, own_timeout,
    refused_elsewhere, unknown_host, own_program, own_deadline, division, own_words,
)  # fmt: skip


@pytest.mark.parametrize("number", range(200))
def test_honest(service, number):
    stack = STACKS[number % 3]
    url = service(f"web-{stack}").url if number % 2 else f"http://web.stack-{stack}:8080"
    time.sleep(0.15)
    FAILURES[number % len(FAILURES)](url)
