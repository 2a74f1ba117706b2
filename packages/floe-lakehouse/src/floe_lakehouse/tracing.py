"""Spans of what this package does, by OpenTelemetry's API: silent until the program sets up an SDK.

| span | its attributes |
|---|---|
| `publish` | `floe.table`, `floe.rows`, `floe.snapshot` |
| `commit`, inside `publish` | `floe.table` |
| `evolve` | `floe.table`, `floe.columns.added` |
| `read` | `floe.table`, `floe.rows` |

An exception is recorded on the span that it leaves, whose status is then ERROR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TRACER: Final = trace.get_tracer("floe_lakehouse")


def trace_to(endpoint: str, *, service: str = "floe", timeout: float = 5.0) -> TracerProvider:
    """Send the spans of this process to an OTLP/HTTP collector; needs the extra `tracing`.

    Args:
        endpoint: its base URL, such as `http://jaeger:4318`.
        service: the name under which they are found.
        timeout: seconds that one delivery may take.

    Returns:
        The provider. `force_flush()` sends what waits; `shutdown()` sends it and ends.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=timeout)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider
