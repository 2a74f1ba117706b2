"""Evolve the schema of a table to match newer batches, without rewriting stored data."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import ValidationError
from pyiceberg.schema import Schema

from floe_lakehouse.errors import BatchError
from floe_lakehouse.tables import TableName, check_columns
from floe_lakehouse.tracing import TRACER


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolved:
    """The result of one `evolve`: added columns, and columns with a wider type (`int` to `long`)."""

    table: TableName
    added: tuple[str, ...]
    widened: tuple[str, ...]


def evolve(catalog: Catalog, name: TableName, schema: pa.Schema) -> Evolved:
    """Extend the table's schema for batches of `schema`, with one commit or none.

    Added columns are optional, so existing rows read as null there. `int` becomes `long` and `float` becomes `double`,
    never the reverse. Columns missing in `schema` are kept.

    Raises:
        BatchError: a column would change to an incompatible type, such as `string` to `long`.
        pyiceberg.exceptions.NoSuchTableError: the table does not exist.
    """
    check_columns(schema)
    with TRACER.start_as_current_span("evolve", attributes={"floe.table": str(name)}) as span:
        table = catalog.load_table(name.identifier)
        before = _types(table.schema())
        try:
            with table.update_schema() as update:
                update.union_by_name(schema)
        except (ValueError, ValidationError) as problem:
            raise BatchError(f"{name} cannot take these columns: {problem}") from problem
        after = _types(table.schema())
        evolved = Evolved(
            table=name,
            added=tuple(column for column in after if column not in before),
            widened=tuple(column for column in before if before[column] != after[column]),
        )
        span.set_attribute("floe.columns.added", len(evolved.added))
        return evolved


def _types(schema: Schema) -> dict[str, str]:
    return {field.name: str(field.field_type) for field in schema.fields}
