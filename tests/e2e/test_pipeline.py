"""Test a batch from publication to traces, runs and readers."""

import pyarrow as pa
import pytest
from floe_lakehouse import TableName, evolve, publish, read

pytestmark = pytest.mark.service("polaris", "localstack", "postgresql")

MONDAY = pa.table({"id": [1, 2], "euros": [9.5, 3.0]})
TUESDAY = pa.table({"id": [3], "euros": [1.0], "note": ["late"]})


@pytest.mark.service("jaeger")
def test_published_batch_has_rows_files_run_and_trace(dg, runs, instance, warehouse, table, traces, s3):
    recorded = runs.publish_recorded(instance, warehouse, table, MONDAY)

    # Readers see the rows,
    assert read(warehouse, table).sort_by("id").to_pydict() == MONDAY.to_pydict()
    # S3 has the files,
    bucket, _, prefix = recorded.published.location.removeprefix("s3://").partition("/")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/data/")["Contents"]]
    assert [key for key in keys if key.endswith(".parquet")]
    # Dagster has the run,
    assert instance.get_run_by_id(recorded.run_id).status is dg.DagsterRunStatus.SUCCESS
    # and Jaeger has the trace.
    assert {"publish", "commit"} <= set(traces(table))


@pytest.mark.service("jaeger")
def test_second_batch_with_new_column_evolves_table(dg, runs, instance, warehouse, table, traces):
    runs.publish_recorded(instance, warehouse, table, MONDAY)
    evolve(warehouse, table, TUESDAY.schema)
    runs.publish_recorded(instance, warehouse, table, TUESDAY)

    assert read(warehouse, table, where="note = 'late'")["id"].to_pylist() == [3]
    assert len(instance.get_runs(dg.RunsFilter(tags={"floe/table": str(table)}))) == 2
    assert [name for name in traces(table, at_least=6) if name != "read"] == [
        "commit",
        "commit",
        "evolve",
        "publish",
        "publish",
    ]


def test_every_seeded_dataset_can_be_published(warehouse, dagster_database):
    """The names in the seed data are valid table names."""
    names = [name for (name,) in dagster_database.execute("select name from floe.dataset").fetchall()]

    assert names
    for text in names:
        name = TableName.parse(text)
        published = publish(warehouse, name, pa.table({"id": [1]}))
        assert read(warehouse, name, snapshot_id=published.snapshot_id).num_rows >= 1
        warehouse.drop_table(name.identifier)


@pytest.mark.service("jaeger")
def test_failed_publication_is_visible_in_run_and_trace(dg, runs, instance, warehouse, table, traces):
    publish(warehouse, table, MONDAY)

    with pytest.raises(Exception, match="does not fit"):
        runs.publish_recorded(instance, warehouse, table, pa.table({"id": ["no number"], "euros": [0.0]}))

    (run,) = instance.get_runs(dg.RunsFilter(tags={"floe/table": str(table)}))
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert read(warehouse, table).num_rows == 2
    assert traces(table, failed=True) == ["commit", "publish"]
