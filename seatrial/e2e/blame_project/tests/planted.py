"""Each test asks its stack until that fails. A script outside breaks something meanwhile, and repairs it afterwards."""

from __future__ import annotations

import time
import urllib.request

import httpx
import pytest
from plants import plants

PATIENCE = 75
"""Seconds in which a planted cause must show."""


def ask_urllib(url):
    with urllib.request.urlopen(url, timeout=3) as answer:
        return answer.read()


def ask_httpx(url):
    return httpx.get(url, timeout=3).raise_for_status().content


def url_of(service, stack, client):
    return service(f"web-{stack}", check=False).url if client == "service" else f"http://web.stack-{stack}:8080"


def wait_until_repaired(url, target):
    """Wait until the script outside says to the target that it is repaired, and the stack answers again."""
    until, good = time.monotonic() + 150, 0
    while good < 4 and time.monotonic() < until:
        try:
            repaired = ask_urllib(f"{url}/repaired?what={target}") == b"True"
            good = good + 1 if repaired and ask_urllib(url) else 0
        except OSError:
            good = 0
        time.sleep(0.2)


def tests_of(stack):
    """Return the test function of a stack, with one parameter for each planted cause."""

    def parameter(name, target, client):
        marks = [pytest.mark.service(f"web-{stack}")] if client == "marker" else []
        return pytest.param(client, target, id=f"{name}-{target}", marks=marks)

    @pytest.mark.parametrize(("client", "target"), [parameter(*rest) for its, *rest in plants() if its == stack])
    def test_planted(service, client, target, request):
        url = url_of(service, stack, client)
        request.addfinalizer(lambda: wait_until_repaired(url, target))
        ask = ask_urllib if client == "urllib" else ask_httpx
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ask(url)
            time.sleep(0.1)
        raise AssertionError("nothing failed")

    return test_planted
