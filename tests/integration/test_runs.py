"""Test publications recorded as Dagster runs in PostgreSQL."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, read

pytestmark = pytest.mark.service("polaris", "localstack", "postgresql")

ORDERS = pa.table({"id": [1, 2, 3]})


def test_run_has_publication_metadata(dg, runs, instance, warehouse, table):
    recorded = runs.publish_recorded(instance, warehouse, table, ORDERS, tags={"floe/batch": "monday"})

    run = instance.get_run_by_id(recorded.run_id)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.tags["floe/table"] == str(table)
    assert run.tags["floe/batch"] == "monday"
    event = instance.get_latest_materialization_event(dg.AssetKey([table.namespace, table.table]))
    assert event.run_id == recorded.run_id
    metadata = event.asset_materialization.metadata
    assert metadata["rows"].value == 3
    assert metadata["snapshot"].value == str(recorded.published.snapshot_id)
    assert metadata["location"].value == recorded.published.location
    assert read(warehouse, table).num_rows == 3


def test_run_is_visible_to_other_process(dg, runs, instance, warehouse, table, endpoints):
    recorded = runs.publish_recorded(instance, warehouse, table, ORDERS)

    with runs.dagster_instance(endpoints.dagster_database) as elsewhere:
        found = elsewhere.get_runs(dg.RunsFilter(tags={"floe/table": str(table)}))

    assert [run.run_id for run in found] == [recorded.run_id]


def test_failed_publication_is_recorded_as_failed_run(dg, runs, instance, warehouse, table):
    runs.publish_recorded(instance, warehouse, table, ORDERS)

    with pytest.raises(BatchError, match="does not fit"):
        runs.publish_recorded(instance, warehouse, table, pa.table({"id": ["no number"]}))

    found = instance.get_runs(dg.RunsFilter(tags={"floe/table": str(table)}))
    assert sorted(run.status.value for run in found) == ["FAILURE", "SUCCESS"]


def test_runs_are_stored_in_dagster_database(runs, instance, warehouse, table, dagster_database):
    recorded = runs.publish_recorded(instance, warehouse, table, ORDERS)

    row = dagster_database.execute("select status from runs where run_id = %s", (recorded.run_id,)).fetchone()
    events = dagster_database.execute(
        "select count(*) from event_logs where run_id = %s and dagster_event_type = 'ASSET_MATERIALIZATION'",
        (recorded.run_id,),
    ).fetchone()

    assert row == ("SUCCESS",)
    assert events == (1,)
