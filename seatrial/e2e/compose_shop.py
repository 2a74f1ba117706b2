"""Provide the small project of the e2e tests with a Compose file, and query what it leaves on the engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from shop_project import ENVIRONMENT, Shop, copy, docker

__all__ = ["ComposeShop", "compose_shop", "left"]

COMPOSE = """
services:
  web:
    image: foundry.invalid/python:3.13
    # A fixed name and a host port collide with other copies, unless seatrial drops them.
    container_name: shop-web
    ports: ["8080:8080"]
    command: [python3, -m, http.server, "8080", --directory, /data]
    volumes: ["./data:/data:ro", "cache:/cache"]
    healthcheck:
      test: [CMD, python3, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/stock')"]
      interval: 1s
      start_period: 30s
    depends_on:
      migrations: {condition: service_completed_successfully}
  migrations:
    image: foundry.invalid/python:3.13
    command: [python3, -c, "print('migrated')"]
volumes:
  cache: {}
"""

CONFIGURATION = """
# A service that has another name and port in Compose.
[service.front]
port = 80
ready = { http = "/stock" }

[compose]
file = "compose.yaml"

[compose.env]
SHOP_PASSWORD = "open $esame"
SEATRIAL_SERVICE_FRONT = "web:8080"
"""

TESTS = """
import os

from shop import stock


def test_stock():
    assert stock("http://web:8080") == 42


def test_in_compose(service):
    assert service.location.where == "compose"
    assert service("web").url == "http://web:8080"
    assert service("front").url == "http://web:8080"


def test_secret_arrives():
    assert os.environ["SHOP_PASSWORD"] == "open $esame"


def test_user_may_write_synced_folders():
    assert os.getuid() == 1000
    with open("tests/written.txt", "w") as file:
        file.write("1")
"""


@dataclass(frozen=True)
class ComposeShop(Shop):
    """A copy of the project, with a state directory of its own."""

    @property
    def env(self) -> dict[str, str]:
        return {**ENVIRONMENT, "XDG_STATE_HOME": str(self.root.parent / "state"), "SEATRIAL_ENVIRONMENT": "compose"}

    @property
    def project(self) -> str:
        """The name of the Compose project of the last run."""
        return str(self.stage("install")["facts"]["project"])

    def inspect(self, service: str, template: str = "{{.Id}}") -> str:
        return docker("container", "inspect", "--format", template, f"{self.project}-{service}-1").strip()


def compose_shop(tmp_path_factory: pytest.TempPathFactory, name: str) -> ComposeShop:
    it = ComposeShop(copy(tmp_path_factory, name).root)
    (it.root / "compose.yaml").write_text(COMPOSE)
    (it.root / "data").mkdir()
    (it.root / "data" / "stock").write_text("42")
    (it.root / "tests" / "test_shop.py").write_text(TESTS)
    with (it.root / "seatrial.toml").open("a") as file:
        file.write(CONFIGURATION)
    return it


def left(name: str) -> list[str]:
    """Return containers, networks and volumes of the Compose projects whose name starts with that of a project."""
    found = [
        *docker("ps", "--all", "--format", "{{.Names}}").split(),
        *docker("network", "ls", "--format", "{{.Name}}").split(),
        *docker("volume", "ls", "--format", "{{.Name}}").split(),
    ]
    return [each for each in found if each.startswith(name)]
