"""Publish batches as snapshots of a table, and read tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue

from floe_lakehouse.errors import BatchError
from floe_lakehouse.tables import TableName, check_batch
from floe_lakehouse.tracing import TRACER


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The result of one `publish`: a snapshot with `rows` new rows; `location` is the table's folder in S3."""

    table: TableName
    snapshot_id: int
    rows: int
    location: str


def publish(catalog: Catalog, name: TableName, batch: pa.Table) -> Published:
    """Append `batch` to the table as one snapshot. Namespace and table are created if they do not exist.

    Readers see either the whole batch or none of it.

    Raises:
        BatchError: the batch cannot be a table, or does not fit the existing one.
        pyiceberg.exceptions.CommitFailedException: another writer committed at the same time; publish again.
    """
    check_batch(batch)
    about = {"floe.table": str(name)}
    with TRACER.start_as_current_span("publish", attributes={**about, "floe.rows": batch.num_rows}) as span:
        try:
            table = catalog.load_table(name.identifier)
        except NoSuchTableError:
            catalog.create_namespace_if_not_exists(name.namespace)
            table = catalog.create_table_if_not_exists(name.identifier, schema=batch.schema)
        try:
            with TRACER.start_as_current_span("commit", attributes=about):
                table.append(batch)
        except ValueError as problem:
            # PyIceberg's message is a table of both schemas.
            raise BatchError(f"the batch does not fit {name}: {problem}") from problem
        snapshot = table.current_snapshot()
        if snapshot is None:
            raise RuntimeError(f"{name} has no snapshot after an accepted commit")
        span.set_attribute("floe.snapshot", snapshot.snapshot_id)
        return Published(table=name, snapshot_id=snapshot.snapshot_id, rows=batch.num_rows, location=table.location())


def read(
    catalog: Catalog,
    name: TableName,
    *,
    where: str | None = None,
    columns: Sequence[str] = ("*",),
    snapshot_id: int | None = None,
) -> pa.Table:
    """Return the table's rows, in undefined order.

    Args:
        catalog: from `connect`.
        name: the table.
        where: an Iceberg filter, such as `euros > 5`; None for all rows.
        columns: the columns to read; all by default.
        snapshot_id: an earlier state of the table; None for the current one.

    Raises:
        pyiceberg.exceptions.NoSuchTableError: the table does not exist.
    """
    with TRACER.start_as_current_span("read", attributes={"floe.table": str(name)}) as span:
        table = catalog.load_table(name.identifier)
        rows = AlwaysTrue() if where is None else where
        found = table.scan(row_filter=rows, selected_fields=tuple(columns), snapshot_id=snapshot_id).to_arrow()
        span.set_attribute("floe.rows", found.num_rows)
        return found
