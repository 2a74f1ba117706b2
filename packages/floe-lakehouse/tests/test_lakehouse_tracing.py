"""What the package does is told as spans."""

import pyarrow as pa
import pytest
from floe_lakehouse import BatchError, evolve, publish, read
from opentelemetry.trace import StatusCode

ORDERS = pa.table({"id": [1, 2, 3]})


def test_a_publication_says_what_it_published(catalog, orders, spans):
    published = publish(catalog, orders, ORDERS)

    assert dict(spans()["publish"].attributes) == {
        "floe.table": "shop.orders",
        "floe.rows": 3,
        "floe.snapshot": published.snapshot_id,
    }
    assert spans()["commit"].parent.span_id == spans()["publish"].context.span_id


def test_reading_and_evolving_are_told_too(catalog, orders, spans):
    publish(catalog, orders, ORDERS)
    evolve(catalog, orders, pa.schema([("note", pa.string())]))
    read(catalog, orders, where="id > 1")

    assert spans()["evolve"].attributes["floe.columns.added"] == 1
    assert spans()["read"].attributes["floe.rows"] == 2


def test_a_failure_is_on_its_span(catalog, orders, spans):
    publish(catalog, orders, ORDERS)

    with pytest.raises(BatchError):
        publish(catalog, orders, pa.table({"id": ["no number"]}))

    assert spans()["publish"].status.status_code is StatusCode.ERROR
    assert "BatchError" in spans()["publish"].events[0].attributes["exception.type"]
