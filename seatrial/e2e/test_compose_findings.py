"""Failures of services in Docker Compose are found, with their cause and evidence."""

from __future__ import annotations

import socket

import pytest
from compose_shop import COMPOSE, compose_shop, left
from shop_project import NAME


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    it = compose_shop(tmp_path_factory, "cfind")
    yield it
    assert left(f"{NAME}-cfind") == []


@pytest.fixture
def finding(shop):
    """Run with a changed Compose file, and return the first finding."""

    def finding(old, new, *options):
        assert old in COMPOSE
        (shop.root / "compose.yaml").write_text(COMPOSE.replace(old, new))
        shop(*options, "run", code=10)
        found = [each for stage in shop.result["stages"] for each in stage["findings"]]
        assert found, shop.result
        return found[0]

    return finding


def test_crashed_service_has_its_log_as_evidence(finding):
    found = finding("print('migrated')", "import sys; sys.exit('no table')")

    assert (found["cause"], found["subject"]["name"]) == ("Crash", "migrations")
    assert "no table" in found["evidence"]


def test_service_beyond_its_memory_limit(finding):
    hungry = 'command: [python3, -c, "bytearray(1 << 30)"]\n    mem_limit: 32m\n    memswap_limit: 32m'
    found = finding("command: [python3, -c, \"print('migrated')\"]", hungry)

    assert (found["cause"], found["subject"]["name"]) == ("OOMKilled", "migrations")
    assert "32 MiB" in found["message"]


def test_unhealthy_service(finding):
    found = finding(
        "http://127.0.0.1:8080/stock')\"]\n      interval: 1s\n      start_period: 30s",
        "http://127.0.0.1:9')\"]\n      interval: 1s\n      retries: 2",
    )

    assert (found["cause"], found["subject"]["name"]) == ("Unhealthy", "web")
    assert any("refused" in line for line in found["evidence"])


def test_missing_image(finding):
    found = finding(
        "image: foundry.invalid/python:3.13\n    command: [python3, -c",
        "image: foundry.invalid/nosuch:1\n    command: [python3, -c",
    )

    assert found["cause"] == "ImagePull"


def test_host_port_in_use(finding):
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        found = finding("8080:8080", f"{port}:8080", "--set", "compose.host-ports=true")

    assert found["cause"] == "PortTaken"


def test_service_that_does_not_answer_as_declared(finding):
    options = ("--set", "service.web.ready.http=/nosuch", "--set", "timeouts.ready=3")
    found = finding("cache:/cache", "cache:/other", *options)

    assert (found["cause"], found["subject"]["name"]) == ("NoAnswer", "web")
    assert "404" in found["message"]
