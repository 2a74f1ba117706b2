"""Test that a principal has exactly the privileges of its roles.

https://polaris.apache.org/releases/1.8.0/managing-security/access-control/
"""

import httpx
import pytest

pytestmark = [pytest.mark.needs_real("polaris"), pytest.mark.service("polaris", "postgresql")]


@pytest.fixture
def namespaces_as(endpoints, http, token_of):
    """`namespaces_as(client_id, secret)`: the catalog's answer to this principal's request for namespaces."""

    def ask(client_id, secret):
        token = token_of(client_id, secret).json()["access_token"]
        return http.get(f"{endpoints.catalog}/v1/floe/namespaces", headers={"Authorization": f"Bearer {token}"})

    return ask


@pytest.fixture
def granted(as_root, principal, unique):
    """`granted(privilege)`: the principal has the privilege on the catalog, through two roles."""
    roles = f"pr_{unique}", f"cr_{unique}"

    def grant(privilege):
        principal_role, catalog_role = roles
        for path, body in (
            ("/principal-roles", {"principalRole": {"name": principal_role}}),
            ("/catalogs/floe/catalog-roles", {"catalogRole": {"name": catalog_role}}),
        ):
            as_root.post(path, json=body).raise_for_status()
        for path, body in (
            (f"/principals/{principal[0]}/principal-roles", {"principalRole": {"name": principal_role}}),
            (f"/principal-roles/{principal_role}/catalog-roles/floe", {"catalogRole": {"name": catalog_role}}),
            (
                f"/catalogs/floe/catalog-roles/{catalog_role}/grants",
                {"grant": {"type": "catalog", "privilege": privilege}},
            ),
        ):
            as_root.put(path, json=body).raise_for_status()

    yield grant
    as_root.delete(f"/principal-roles/{roles[0]}")
    as_root.delete(f"/catalogs/floe/catalog-roles/{roles[1]}")


def test_principal_without_role_cannot_list_namespaces(namespaces_as, principal):
    assert namespaces_as(*principal[1:]).status_code == httpx.codes.FORBIDDEN


def test_principal_with_privilege_lists_namespaces(namespaces_as, principal, granted):
    granted("NAMESPACE_LIST")

    answer = namespaces_as(*principal[1:])

    assert answer.status_code == httpx.codes.OK
    assert ["default"] in answer.json()["namespaces"]


def test_principal_with_other_privilege_cannot_list_namespaces(namespaces_as, principal, granted):
    granted("TABLE_READ_DATA")

    assert namespaces_as(*principal[1:]).status_code == httpx.codes.FORBIDDEN
