"""Test OAuth2 client credentials at the catalog's own token endpoint.

https://github.com/apache/polaris/blob/main/spec/polaris-catalog-service.yaml
"""

import httpx
import pytest

pytestmark = [pytest.mark.needs_real("polaris"), pytest.mark.service("polaris", "postgresql")]


def test_root_principal_gets_bearer_token(token_of, root):
    answer = token_of(*root)

    assert answer.status_code == httpx.codes.OK
    assert answer.json()["token_type"].lower() == "bearer"
    assert answer.json()["expires_in"] > 0


def test_wrong_secret_gets_no_token(token_of, root):
    answer = token_of(root[0], "wrong")

    assert answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.BAD_REQUEST}
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}])
def test_request_without_valid_token_is_refused(http, endpoints, headers):
    answer = http.get(f"{endpoints.catalog}/v1/config", params={"warehouse": "floe"}, headers=headers)

    assert answer.status_code == httpx.codes.UNAUTHORIZED
