"""Export spans of this package with OpenTelemetry. Without `trace_to`, no spans are sent.

| span | attributes | |---|---| | `publish` | `floe.table`, `floe.rows`, `floe.snapshot` | | `commit`, inside `publish`
| `floe.table` | | `evolve` | `floe.table`, `floe.columns.added` | | `read` | `floe.table`, `floe.rows` |

A span records the exception that leaves it and then has the status ERROR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

TRACER: Final = trace.get_tracer("floe_lakehouse")


def trace_to(endpoint: str, *, service: str = "floe", timeout: float = 5.0) -> TracerProvider:
    """Send the spans of this process to an OTLP/HTTP collector. Requires the extra `tracing`.

    Args:
        endpoint: base URL, such as `http://jaeger:4318`.
        service: the service name of the spans.
        timeout: seconds for one export.

    Returns:
        The provider. `force_flush()` sends pending spans; `shutdown()` sends them and stops.
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
