"""Test catalogs and principals with the management API.

https://github.com/apache/polaris/blob/main/spec/polaris-management-service.yml
"""

import httpx
import pytest

pytestmark = [pytest.mark.needs_real("polaris"), pytest.mark.service("polaris", "postgresql")]


def test_warehouse_catalog_uses_its_bucket(as_root):
    catalog = as_root.get("/catalogs/floe").raise_for_status().json()

    assert catalog["properties"]["default-base-location"] == "s3://warehouse/"
    assert catalog["storageConfigInfo"]["storageType"] == "S3"
    assert catalog["storageConfigInfo"]["roleArn"].endswith(":role/floe-warehouse")


def test_create_existing_catalog_is_an_error(as_root):
    again = as_root.post("/catalogs", json={"catalog": as_root.get("/catalogs/floe").json()})

    assert again.status_code == httpx.codes.CONFLICT


def test_principal_can_be_created_and_deleted(as_root, principal, token_of):
    name, client_id, secret = principal
    assert name in {each["name"] for each in as_root.get("/principals").json()["principals"]}
    assert token_of(client_id, secret).status_code == httpx.codes.OK

    as_root.delete(f"/principals/{name}").raise_for_status()

    assert token_of(client_id, secret).status_code != httpx.codes.OK


def test_rotated_credentials_replace_old_ones(principal, token_of, management, http):
    """Polaris keeps the previous secret valid for its clients. The second rotation invalidates it."""
    name, client_id, first = principal

    def rotate(secret):
        own = {"Authorization": f"Bearer {token_of(client_id, secret).json()['access_token']}"}
        rotated = http.post(f"{management}/principals/{name}/rotate", headers=own)
        assert rotated.status_code == httpx.codes.OK, rotated.text
        return rotated.json()["credentials"]["clientSecret"]

    second = rotate(first)
    third = rotate(second)

    assert token_of(client_id, third).status_code == httpx.codes.OK
    assert token_of(client_id, first).status_code != httpx.codes.OK
