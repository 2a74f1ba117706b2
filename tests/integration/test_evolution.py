"""A table of the catalog learns new columns; what was published before stays as it is."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, connect, evolve, publish, read

pytestmark = pytest.mark.service("polaris", "localstack", "postgresql")

OLD = pa.table({"id": pa.array([1, 2], pa.int32()), "who": ["ada", "bob"]})
NEW = pa.table({"id": pa.array([2**40], pa.int64()), "who": ["eve"], "euros": [9.5]})


def test_a_newer_batch_fits_once_the_table_evolved(warehouse, table):
    publish(warehouse, table, OLD)
    with pytest.raises(BatchError, match="does not fit"):
        publish(warehouse, table, NEW)

    evolved = evolve(warehouse, table, NEW.schema)
    publish(warehouse, table, NEW)

    assert (evolved.added, evolved.widened) == (("euros",), ("id",))
    assert read(warehouse, table).sort_by("id").to_pydict() == {
        "id": [1, 2, 2**40],
        "who": ["ada", "bob", "eve"],
        "euros": [None, None, 9.5],
    }


def test_the_state_before_is_still_read_with_its_own_rows(warehouse, table):
    first = publish(warehouse, table, OLD)
    evolve(warehouse, table, NEW.schema)
    publish(warehouse, table, NEW)

    before = read(warehouse, table, snapshot_id=first.snapshot_id)

    assert sorted(before["id"].to_pylist()) == [1, 2]


def test_another_process_sees_the_new_columns(warehouse, lakehouse_settings, table):
    publish(warehouse, table, OLD)
    evolve(warehouse, table, NEW.schema)

    elsewhere = connect(lakehouse_settings)

    assert elsewhere.load_table(table.identifier).schema().column_names == ["id", "who", "euros"]


def test_a_refused_change_leaves_the_table_alone(warehouse, table):
    publish(warehouse, table, OLD)

    with pytest.raises(BatchError, match=str(table)):
        evolve(warehouse, table, pa.schema([("who", pa.int64())]))

    assert read(warehouse, table).num_rows == 2
