"""Run tests that require real Apache Polaris only there. The stand-in answers without a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

Ask = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def _real(request: pytest.FixtureRequest, endpoints: Any, http: httpx.Client) -> None:
    (mark,) = request.node.iter_markers("needs_real")
    assert mark.args == ("polaris",)
    if is_stand_in(http, endpoints.catalog):
        pytest.skip("not run: stand-in")


def is_stand_in(http: httpx.Client, catalog: str) -> bool:
    """Return whether a catalog is Iceberg's REST fixture, which returns its configuration without a token.

    Polaris requires a token for every request. A missing part of Polaris is a failure of the tests, not a stand-in.
    """
    return http.get(f"{catalog}/v1/config", params={"warehouse": "floe"}).status_code == httpx.codes.OK


@pytest.fixture(scope="session")
def management(endpoints: Any) -> str:
    """Provide the base URL of the management API.

    https://github.com/apache/polaris/blob/main/spec/polaris-management-service.yml
    """
    return str(endpoints.catalog).removesuffix("/api/catalog") + "/api/management/v1"


@pytest.fixture
def token_of(endpoints: Any, http: httpx.Client) -> Callable[..., httpx.Response]:
    """`token_of(client_id, secret)`: the token endpoint's answer to OAuth2 client credentials."""

    def ask(client_id: str, secret: str, scope: str = "PRINCIPAL_ROLE:ALL") -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
        return http.post(f"{endpoints.catalog}/v1/oauth/tokens", data=form)

    return ask


@pytest.fixture
def root(lakehouse_settings: Any) -> tuple[str, str]:
    """Provide client id and secret of the root principal."""
    assert lakehouse_settings.credential, "FLOE_CATALOG_CREDENTIAL is not set"
    client_id, _, secret = lakehouse_settings.credential.partition(":")
    return client_id, secret


@pytest.fixture
def as_root(token_of: Callable[..., httpx.Response], root: tuple[str, str], management: str) -> Iterator[httpx.Client]:
    """Provide a client of the management API with the root principal's token."""
    token = token_of(*root).json()["access_token"]
    with httpx.Client(base_url=management, headers={"Authorization": f"Bearer {token}"}, timeout=10) as client:
        yield client


@pytest.fixture
def principal(as_root: httpx.Client, unique: str) -> Iterator[tuple[str, str, str]]:
    """Provide name, client id and secret of a principal without roles."""
    made = as_root.post("/principals", json={"principal": {"name": unique}})
    assert made.status_code == httpx.codes.CREATED, made.text
    credentials = made.json()["credentials"]
    yield unique, credentials["clientId"], credentials["clientSecret"]
    as_root.delete(f"/principals/{unique}")
