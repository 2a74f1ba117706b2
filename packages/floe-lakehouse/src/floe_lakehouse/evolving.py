"""A table learns the columns of a newer batch; what is stored already is never rewritten and never lost."""

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
    """What one `evolve` changed: columns that are new, and columns that hold more than before (`int` to `long`)."""

    table: TableName
    added: tuple[str, ...]
    widened: tuple[str, ...]


def evolve(catalog: Catalog, name: TableName, schema: pa.Schema) -> Evolved:
    """Make the table take batches of `schema`: one commit, or none if it does already.

    New columns are optional, so that rows written before read as null there; `int` becomes `long`, `float` `double`,
    never the other way. Columns that `schema` does not have stay.

    Raises:
        BatchError: a column would have to become another kind of value, such as `string` to `long`.
        pyiceberg.exceptions.NoSuchTableError: there is no such table.
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
