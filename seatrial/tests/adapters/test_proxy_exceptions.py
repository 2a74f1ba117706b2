"""Hosts that are exempt from the proxies of the environment."""

from __future__ import annotations

import urllib.request

import pytest
from seatrial.adapters.image_registry import DOMAIN
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.proxy_exceptions import LOOPBACK, no_proxy_variables
from seatrial.adapters.registry_check import registry_problem
from seatrial.model.deadline import Deadline

PROXY = "http://proxy.invalid:3128"


def test_no_proxy_variables_are_empty_without_a_proxy():
    assert no_proxy_variables({"NO_PROXY": "mine", "HTTP_PROXY": ""}, LOOPBACK) == {}


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({}, "a,b"),
        ({"NO_PROXY": "mine, a"}, "mine,a,b"),
        ({"no_proxy": "mine"}, "mine,a,b"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_no_proxy_variables_add_hosts_to_existing_ones(name, given, result):
    made = no_proxy_variables({name: PROXY, **given}, ["a", "b"])

    assert made == {"NO_PROXY": result, "no_proxy": result}


def test_programs_get_loopback_and_registry_as_proxy_exceptions(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "mine.example")
    monkeypatch.delenv("no_proxy", raising=False)

    done = LocalProcesses().run(["sh", "-c", "echo $NO_PROXY $no_proxy"], deadline=Deadline.after(10))

    expected = ",".join(["mine.example", *LOOPBACK, DOMAIN])
    assert done.stdout.decode().split() == [expected, expected]


def test_programs_without_a_proxy_get_no_exceptions(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    done = LocalProcesses().run(["sh", "-c", "echo ${NO_PROXY-unset}"], deadline=Deadline.after(10))

    assert done.stdout == b"unset\n"


def test_registry_on_loopback_is_checked_without_the_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert urllib.request.getproxies()["http"] == PROXY

    # Nothing listens on that port, and the proxy does not exist: only a direct connection is refused.
    assert "refused" in registry_problem("127.0.0.1:9", timeout=5)
