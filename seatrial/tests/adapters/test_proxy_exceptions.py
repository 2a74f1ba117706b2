"""Local addresses are reached without the environment's proxy."""

from __future__ import annotations

import urllib.request

import pytest
from seatrial.adapters.image_registry import DOMAIN
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.proxy_exceptions import LOOPBACK, direct
from seatrial.adapters.registry_check import registry_silence
from seatrial.model.deadline import Deadline

PROXY = "http://proxy.invalid:3128"


def test_direct_without_a_proxy_changes_nothing():
    assert direct({"NO_PROXY": "mine", "HTTP_PROXY": ""}, LOOPBACK) == {}


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
def test_direct_adds_hosts_to_what_is_exempt_already(name, given, result):
    made = direct({name: PROXY, **given}, ["a", "b"])

    assert made == {"NO_PROXY": result, "no_proxy": result}


def test_programs_reach_loopback_and_the_registry_without_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "mine.example")
    monkeypatch.delenv("no_proxy", raising=False)

    done = LocalProcesses().run(["sh", "-c", "echo $NO_PROXY $no_proxy"], deadline=Deadline.after(10))

    expected = ",".join(["mine.example", *LOOPBACK, DOMAIN])
    assert done.stdout.decode().split() == [expected, expected]


def test_programs_without_a_proxy_keep_their_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    done = LocalProcesses().run(["sh", "-c", "echo ${NO_PROXY-unset}"], deadline=Deadline.after(10))

    assert done.stdout == b"unset\n"


def test_registry_on_this_machine_is_asked_without_the_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert urllib.request.getproxies()["http"] == PROXY

    # Nobody listens there: the answer is this machine's, not the proxy's.
    assert "refused" in registry_silence("127.0.0.1:9", timeout=5)
