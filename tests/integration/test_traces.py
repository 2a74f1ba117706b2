"""Test that traces exported by OTLP can be queried in Jaeger."""

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

pytestmark = pytest.mark.service("jaeger")


@pytest.fixture(params=["grpc", "http"])
def exporter(request, endpoints):
    if request.param == "grpc":
        made = GrpcExporter(endpoint=endpoints.otlp_grpc, insecure=True, timeout=5)
    else:
        made = HttpExporter(endpoint=f"{endpoints.otlp_http}/v1/traces", timeout=5)
    yield made
    made.shutdown()


@pytest.fixture
def trace_of():
    """`trace_of(service)`: a publish span with a commit span inside, both finished."""

    def make(service):
        spans = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(spans))
        tracer = provider.get_tracer("floe.tests")
        with tracer.start_as_current_span("publish") as outer:
            outer.set_attribute("floe.rows", 3)
            with tracer.start_as_current_span("commit"):
                pass
        return spans.get_finished_spans()

    return make


@pytest.fixture
def ask_jaeger(http, endpoints):
    """`ask_jaeger(path)`: the answer's data; None if Jaeger has none (yet)."""

    def ask(path):
        answer = http.get(f"{endpoints.jaeger}/api/{path}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK
        return answer.json()["data"]

    return ask


@pytest.fixture
def in_jaeger(ask_jaeger, eventually):
    """`in_jaeger(spans)`: Jaeger's record of their trace, once it has all of them."""

    def find(spans):
        trace_id = format(spans[0].context.trace_id, "032x")

        def probe():
            traces = ask_jaeger(f"traces/{trace_id}")
            if not traces:
                return None
            found = traces[0]
            return found if len(found["spans"]) == len(spans) else None

        return eventually(probe)

    return find


def test_exported_trace_can_be_queried(exporter, trace_of, in_jaeger, unique):
    spans = trace_of(unique)

    assert exporter.export(spans) is SpanExportResult.SUCCESS

    found = in_jaeger(spans)
    assert {span["operationName"] for span in found["spans"]} == {"publish", "commit"}
    assert [process["serviceName"] for process in found["processes"].values()] == [unique]


def test_exported_trace_keeps_parent_child_relation(exporter, trace_of, in_jaeger, unique):
    spans = trace_of(unique)
    exporter.export(spans)

    by_name = {span["operationName"]: span for span in in_jaeger(spans)["spans"]}
    parent = by_name["commit"]["references"][0]

    assert parent["refType"] == "CHILD_OF"
    assert parent["spanID"] == by_name["publish"]["spanID"]


def test_exported_attributes_keep_their_types(exporter, trace_of, in_jaeger, unique):
    spans = trace_of(unique)
    exporter.export(spans)

    publish = next(span for span in in_jaeger(spans)["spans"] if span["operationName"] == "publish")
    rows = next(tag for tag in publish["tags"] if tag["key"] == "floe.rows")

    assert (rows["type"], rows["value"]) == ("int64", 3)


def test_traced_service_is_listed(exporter, trace_of, ask_jaeger, eventually, unique):
    exporter.export(trace_of(unique))

    assert eventually(lambda: unique in (ask_jaeger("services") or []) or None)
