"""Test schema evolution of tables."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, evolve, publish, read
from pyiceberg.exceptions import NoSuchTableError

OLD = pa.table({"id": pa.array([1, 2], pa.int32()), "who": ["ada", "bob"]})
NEW = pa.table({"id": pa.array([2**40], pa.int64()), "who": ["eve"], "euros": [9.5]})


def test_evolve_new_column_makes_batch_fit(catalog, orders):
    publish(catalog, orders, OLD)
    with pytest.raises(BatchError):
        publish(catalog, orders, NEW)

    evolved = evolve(catalog, orders, NEW.schema)
    publish(catalog, orders, NEW)

    assert (evolved.added, evolved.widened) == (("euros",), ("id",))
    assert read(catalog, orders).sort_by("id").to_pydict() == {
        "id": [1, 2, 2**40],
        "who": ["ada", "bob", "eve"],
        "euros": [None, None, 9.5],
    }


def test_evolve_same_schema_makes_no_commit(catalog, orders):
    publish(catalog, orders, OLD)
    before = catalog.load_table(orders.identifier).metadata_location

    evolved = evolve(catalog, orders, OLD.schema)

    assert (evolved.added, evolved.widened) == ((), ())
    assert catalog.load_table(orders.identifier).metadata_location == before


def test_evolve_missing_columns_are_kept(catalog, orders):
    publish(catalog, orders, OLD)

    evolve(catalog, orders, pa.schema([("note", pa.string())]))

    assert catalog.load_table(orders.identifier).schema().column_names == ["id", "who", "note"]


def test_evolve_never_narrows_a_column(catalog, orders):
    publish(catalog, orders, NEW)

    assert evolve(catalog, orders, OLD.schema).widened == ()
    assert read(catalog, orders)["id"].to_pylist() == [2**40]


def test_evolve_incompatible_type_is_an_error(catalog, orders):
    publish(catalog, orders, OLD)

    with pytest.raises(BatchError, match=r"shop\.orders"):
        evolve(catalog, orders, pa.schema([("who", pa.int64())]))

    assert read(catalog, orders).schema.field("who").type in {pa.string(), pa.large_string()}


def test_evolve_column_without_type_is_an_error(catalog, orders):
    publish(catalog, orders, OLD)

    with pytest.raises(BatchError, match="note"):
        evolve(catalog, orders, pa.schema([("note", pa.null())]))


def test_evolve_missing_table_is_an_error(catalog, orders):
    with pytest.raises(NoSuchTableError):
        evolve(catalog, orders, OLD.schema)
