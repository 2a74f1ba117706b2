"""Which values of a configuration the process hides in what it writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from seatrial.config import load
from seatrial.config.secrets import is_secret, learn
from seatrial.model.redaction import SECRETS

CONFIG = """
[[image]]
name = "shop"
args = { PYTHON_IMAGE = "registry.example/python:3.13", INDEX_TOKEN = "planted-token" }

[[release]]
name = "shop"
chart = "chart"
set = { "image.tag" = "nonesuch", "image.repository" = "registry.example/shop", "db.password" = "planted-password" }

[runner]
image = "shop"
env = { API_KEY = "planted-key", ROLE_INVENTORY_URI = "ROLE_INVENTORY", OTHER = "INVENTORY" }

[compose]
file = "compose.yaml"
env = { PASSWORD = "planted-compose", SEATRIAL_SERVICE_API = "backend:8080" }
"""


@pytest.fixture(autouse=True)
def learned(tmp_path) -> Iterator[None]:
    (tmp_path / "seatrial.toml").write_text(CONFIG)
    (tmp_path / "chart").mkdir()
    (tmp_path / "compose.yaml").write_text("services: {}")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    SECRETS.forget()
    learn(load(str(tmp_path), environ={}).project)
    yield
    SECRETS.forget()


@pytest.mark.parametrize("value", ["planted-token", "planted-password", "planted-key", "planted-compose"])
def test_values_that_may_be_secret_are_hidden(value: str) -> None:
    assert value not in SECRETS.text(f"it said {value}")


@pytest.mark.parametrize("value", ["nonesuch", "registry.example/shop", "registry.example/python:3.13"])
def test_names_of_images_are_shown(value: str) -> None:
    assert SECRETS.text(f"image {value} cannot be pulled") == f"image {value} cannot be pulled"


def test_addresses_of_services_are_shown() -> None:
    assert SECRETS.text("backend:8080 refused") == "backend:8080 refused"
    assert not is_secret(("compose", "env", "SEATRIAL_SERVICE_API"))
    assert is_secret(("compose", "env", "PASSWORD"))


def test_name_of_a_variable_is_shown_if_it_contains_the_value_of_another() -> None:
    assert SECRETS.text("ROLE_INVENTORY_URI is not set") == "ROLE_INVENTORY_URI is not set"
    assert SECRETS.text("role INVENTORY") == "role ***"
