"""Test the spans of the package."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, evolve, publish, read
from opentelemetry.trace import StatusCode

ORDERS = pa.table({"id": [1, 2, 3]})


def test_publish_span_has_table_rows_and_snapshot(catalog, orders, spans):
    published = publish(catalog, orders, ORDERS)

    assert dict(spans()["publish"].attributes) == {
        "floe.table": "shop.orders",
        "floe.rows": 3,
        "floe.snapshot": published.snapshot_id,
    }
    assert spans()["commit"].parent.span_id == spans()["publish"].context.span_id


def test_read_and_evolve_have_spans(catalog, orders, spans):
    publish(catalog, orders, ORDERS)
    evolve(catalog, orders, pa.schema([("note", pa.string())]))
    read(catalog, orders, where="id > 1")

    assert spans()["evolve"].attributes["floe.columns.added"] == 1
    assert spans()["read"].attributes["floe.rows"] == 2


def test_failed_operation_sets_span_status(catalog, orders, spans):
    publish(catalog, orders, ORDERS)

    with pytest.raises(BatchError):
        publish(catalog, orders, pa.table({"id": ["no number"]}))

    assert spans()["publish"].status.status_code is StatusCode.ERROR
    assert "BatchError" in spans()["publish"].events[0].attributes["exception.type"]
