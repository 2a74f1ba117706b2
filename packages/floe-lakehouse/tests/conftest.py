"""Provide PyIceberg's in-memory catalog with files in a folder of the test."""

import pytest
from floe_lakehouse import TableName
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture
def catalog(tmp_path):
    from pyiceberg.catalog.memory import InMemoryCatalog  # noqa: PLC0415  takes half a second to load

    made = InMemoryCatalog("unit", warehouse=f"file://{tmp_path}")
    yield made
    made.close()


@pytest.fixture
def orders():
    return TableName("shop", "orders")


@pytest.fixture(scope="session")
def _all_spans():
    # OpenTelemetry allows one provider per process. If the integration tests set one, use it.
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(_all_spans):
    """`spans()`: the finished spans of this test, by name."""
    _all_spans.clear()
    return lambda: {span.name: span for span in _all_spans.get_finished_spans()}
