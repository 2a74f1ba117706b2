"""Test validation of table names and batches."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, TableName
from floe_lakehouse.tables import check_batch


def test_table_name_round_trips_through_text():
    assert TableName.parse(str(TableName("shop", "orders"))) == TableName("shop", "orders")


@pytest.mark.parametrize("text", ["orders", "a.b.c", "Shop.orders", "shop.", ".orders", "shop.2026", "shop.é", ""])
def test_table_name_invalid_characters_are_an_error(text):
    with pytest.raises(BatchError):
        TableName.parse(text)


def test_check_batch_accepts_typed_rows():
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
def test_check_batch_unusable_batch_is_an_error(batch, says):
    with pytest.raises(BatchError, match=says):
        check_batch(batch)
