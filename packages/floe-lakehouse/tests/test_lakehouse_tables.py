"""Which names and batches can become a table."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, TableName
from floe_lakehouse.tables import check_batch


def test_a_name_survives_being_printed_and_parsed():
    assert TableName.parse(str(TableName("shop", "orders"))) == TableName("shop", "orders")


@pytest.mark.parametrize("text", ["orders", "a.b.c", "Shop.orders", "shop.", ".orders", "shop.2026", "shop.é", ""])
def test_names_that_some_engine_would_fold_or_reject_are_refused(text):
    with pytest.raises(BatchError):
        TableName.parse(text)


def test_a_batch_of_typed_rows_passes():
    assert check_batch(pa.table({"id": [1], "name": ["a"]})) is None


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (pa.table({}), "no columns"),
        (pa.table({"id": pa.array([], pa.int64())}), "no rows"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "ID"]), "case"),
        (pa.table({"id": [1], "note": pa.nulls(1)}), "note"),
    ],
)
def test_a_batch_that_makes_no_usable_table_is_refused(batch, says):
    with pytest.raises(BatchError, match=says):
        check_batch(batch)
