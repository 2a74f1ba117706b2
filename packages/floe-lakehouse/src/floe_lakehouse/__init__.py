"""Publish batches as Iceberg tables through a REST catalog, and read them back."""

from floe_lakehouse.catalog import connect
from floe_lakehouse.errors import BatchError, LakehouseError, SettingsError
from floe_lakehouse.publishing import Published, publish, read
from floe_lakehouse.settings import LakehouseSettings
from floe_lakehouse.tables import TableName

__all__ = [
    "BatchError",
    "LakehouseError",
    "LakehouseSettings",
    "Published",
    "SettingsError",
    "TableName",
    "connect",
    "publish",
    "read",
]
