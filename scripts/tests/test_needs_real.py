"""Test that `needs_real` skips tests only with the stand-in, and never with an incomplete real catalog."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import httpx
import pytest

CONFTEST = Path(__file__).resolve().parents[2] / "tests" / "real" / "conftest.py"


def is_stand_in(answers: dict[str, int]) -> bool:
    spec = importlib.util.spec_from_file_location("conftest_of_real", CONFTEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answers.get(request.url.path, 404))

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        found: bool = module.is_stand_in(http, "http://catalog:8181/api/catalog")
    return found


def test_is_stand_in_catalog_without_token_is_stand_in():
    assert is_stand_in({"/api/catalog/v1/config": 200})


@pytest.mark.parametrize("management", [200, 401, 404, 500])
@pytest.mark.parametrize("config", [401, 404, 500])
def test_is_stand_in_real_catalog_is_not_stand_in(config, management):
    assert not is_stand_in({"/api/catalog/v1/config": config, "/api/management/v1/catalogs": management})
