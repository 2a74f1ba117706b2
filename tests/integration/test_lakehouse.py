"""Test published batches: files in S3, state in the catalog."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, connect, publish, read
from pyiceberg.exceptions import NoSuchTableError

pytestmark = pytest.mark.service("polaris", "localstack", "postgresql")

ORDERS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "euros": [9.5, 3.0, 12.25], "who": ["ada", "bob", None]})


def test_published_batch_reads_back_unchanged(warehouse, table):
    published = publish(warehouse, table, ORDERS)

    found = read(warehouse, table)

    assert published.rows == 3
    assert found.sort_by("id").to_pydict() == ORDERS.to_pydict()


def test_table_files_are_in_object_store(warehouse, table, s3):
    published = publish(warehouse, table, ORDERS)
    bucket, _, prefix = published.location.removeprefix("s3://").partition("/")

    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["Contents"]]

    assert bucket == "warehouse"
    assert [key for key in keys if "/data/" in key and key.endswith(".parquet")]
    assert [key for key in keys if "/metadata/" in key and key.endswith(".metadata.json")]


def test_each_batch_is_a_readable_snapshot(warehouse, table):
    first = publish(warehouse, table, ORDERS)
    second = publish(warehouse, table, ORDERS.set_column(0, "id", pa.array([4, 5, 6], pa.int64())))

    assert second.snapshot_id != first.snapshot_id
    assert sorted(read(warehouse, table)["id"].to_pylist()) == [1, 2, 3, 4, 5, 6]
    assert sorted(read(warehouse, table, snapshot_id=first.snapshot_id)["id"].to_pylist()) == [1, 2, 3]


def test_read_filters_rows_and_columns(warehouse, table):
    publish(warehouse, table, ORDERS)

    found = read(warehouse, table, where="euros > 5", columns=("who",))

    assert found.column_names == ["who"]
    assert sorted(found["who"].to_pylist(), key=str) == [None, "ada"]


def test_mismatching_batch_leaves_table_unchanged(warehouse, table):
    publish(warehouse, table, ORDERS)

    with pytest.raises(BatchError, match="does not fit"):
        publish(warehouse, table, pa.table({"id": ["not a number"], "euros": [1.0], "who": ["eve"]}))

    assert read(warehouse, table).num_rows == 3


def test_published_table_is_visible_to_other_process(warehouse, lakehouse_settings, table):
    published = publish(warehouse, table, ORDERS)

    elsewhere = connect(lakehouse_settings)

    snapshot = elsewhere.load_table(table.identifier).current_snapshot()
    assert snapshot is not None
    assert snapshot.snapshot_id == published.snapshot_id


def test_dropped_table_is_not_found(warehouse, table):
    publish(warehouse, table, ORDERS)
    warehouse.drop_table(table.identifier)

    with pytest.raises(NoSuchTableError):
        read(warehouse, table)
