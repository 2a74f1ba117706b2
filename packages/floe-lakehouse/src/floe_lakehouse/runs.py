"""Record publications as Dagster runs in Dagster's PostgreSQL storage. Requires the extra `runs`.

Dagster's web server and daemon show these runs if they use the same database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa
from dagster._core.instance.ref import InstanceRef
from pyiceberg.catalog import Catalog

from floe_lakehouse.publishing import Published, publish
from floe_lakehouse.tables import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A publication and the id of its Dagster run."""

    run_id: str
    published: Published


@contextmanager
def dagster_instance(database_uri: str) -> Iterator[dg.DagsterInstance]:
    """Yield a Dagster instance that stores runs, events and schedules in a database. Missing tables are created.

    Args:
        database_uri: `postgresql://user:password@host:port/database`.

    Raises:
        sqlalchemy.exc.OperationalError: the database does not answer, or refuses the connection.
    """
    with tempfile.TemporaryDirectory(prefix="floe-dagster-") as home:
        # InstanceRef is not public, but it is the only way to create an instance without DAGSTER_HOME and a file.
        reference = InstanceRef.from_dir(
            home,
            overrides={
                "storage": {"postgres": {"postgres_url": database_uri}},
                "telemetry": {"enabled": False},
            },
        )
        with dg.DagsterInstance.from_ref(reference) as instance:
            yield instance


def publish_recorded(
    instance: dg.DagsterInstance,
    catalog: Catalog,
    name: TableName,
    batch: pa.Table,
    *,
    tags: Mapping[str, str] | None = None,
) -> Recorded:
    """Publish as `publish` does, in a Dagster run that materializes the asset `namespace/table`.

    The run's status is SUCCESS with rows, snapshot and location as metadata, or FAILURE with the error. The run has the
    tag `floe/table` and the given `tags`.

    Raises:
        Exception: any error of `publish`, after the run was recorded as failed.
    """
    done: list[Published] = []

    @dg.asset(key=[name.namespace, name.table], description=f"The Iceberg table {name}.")
    def table() -> dg.MaterializeResult[None]:
        published = publish(catalog, name, batch)
        done.append(published)
        return dg.MaterializeResult(
            metadata={
                "rows": published.rows,
                "snapshot": str(published.snapshot_id),  # exceeds the precision of a double
                "location": published.location,
            }
        )

    result = dg.materialize([table], instance=instance, tags={"floe/table": str(name), **(tags or {})})
    return Recorded(run_id=result.run_id, published=done[0])
