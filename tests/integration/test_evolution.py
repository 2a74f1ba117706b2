"""Test schema evolution of a table in the catalog."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, connect, evolve, publish, read

pytestmark = pytest.mark.service("polaris", "localstack", "postgresql")

OLD = pa.table({"id": pa.array([1, 2], pa.int32()), "who": ["ada", "bob"]})
NEW = pa.table({"id": pa.array([2**40], pa.int64()), "who": ["eve"], "euros": [9.5]})


def test_evolved_table_accepts_newer_batch(warehouse, table):
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


def test_earlier_snapshot_is_readable_after_evolution(warehouse, table):
    first = publish(warehouse, table, OLD)
    evolve(warehouse, table, NEW.schema)
    publish(warehouse, table, NEW)

    before = read(warehouse, table, snapshot_id=first.snapshot_id)

    assert sorted(before["id"].to_pylist()) == [1, 2]


def test_new_columns_are_visible_to_other_process(warehouse, lakehouse_settings, table):
    publish(warehouse, table, OLD)
    evolve(warehouse, table, NEW.schema)

    elsewhere = connect(lakehouse_settings)

    assert elsewhere.load_table(table.identifier).schema().column_names == ["id", "who", "euros"]


def test_refused_evolution_leaves_table_unchanged(warehouse, table):
    publish(warehouse, table, OLD)

    with pytest.raises(BatchError, match=str(table)):
        evolve(warehouse, table, pa.schema([("who", pa.int64())]))

    assert read(warehouse, table).num_rows == 2
