"""Publish batches as Iceberg tables through a REST catalog, read them, evolve their schema, trace and record it.

Import `floe_lakehouse.runs` (recording in Dagster) explicitly: Dagster takes 1 s to load.
"""

from floe_lakehouse.catalog import connect
from floe_lakehouse.errors import BatchError, LakehouseError, SettingsError
from floe_lakehouse.evolving import Evolved, evolve
from floe_lakehouse.publishing import Published, publish, read
from floe_lakehouse.settings import LakehouseSettings
from floe_lakehouse.tables import TableName
from floe_lakehouse.tracing import trace_to

__all__ = [
    "BatchError",
    "Evolved",
    "LakehouseError",
    "LakehouseSettings",
    "Published",
    "SettingsError",
    "TableName",
    "connect",
    "evolve",
    "publish",
    "read",
    "trace_to",
]
