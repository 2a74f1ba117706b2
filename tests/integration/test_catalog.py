"""Test the Iceberg REST catalog, which stores its state in PostgreSQL."""

import httpx
import pytest
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchNamespaceError, NoSuchTableError

pytestmark = pytest.mark.service("polaris", "postgresql")


def test_catalog_is_ready(http, endpoints):
    answer = http.get(f"{endpoints.catalog_health}/q/health/ready")

    assert answer.status_code == httpx.codes.OK
    assert answer.json()["status"] == "UP"


def test_namespace_properties_are_stored(lakehouse, table):
    lakehouse.create_namespace(table.namespace, {"owner": "floe"})

    assert (table.namespace,) in lakehouse.list_namespaces()
    assert lakehouse.load_namespace_properties(table.namespace)["owner"] == "floe"


def test_create_existing_namespace_is_an_error(lakehouse, table):
    lakehouse.create_namespace(table.namespace)

    with pytest.raises(NamespaceAlreadyExistsError):
        lakehouse.create_namespace(table.namespace)


def test_dropped_namespace_is_not_found(lakehouse, table):
    lakehouse.create_namespace(table.namespace)
    lakehouse.drop_namespace(table.namespace)

    with pytest.raises(NoSuchNamespaceError):
        lakehouse.load_namespace_properties(table.namespace)


def test_load_missing_table_is_an_error(lakehouse, table):
    lakehouse.create_namespace(table.namespace)

    with pytest.raises(NoSuchTableError):
        lakehouse.load_table(table.identifier)
