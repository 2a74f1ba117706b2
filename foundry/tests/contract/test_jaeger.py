"""Test the contract of the Jaeger 2 image (https://www.jaegertracing.io/docs/latest/) that charts rely on."""

from __future__ import annotations

import json
import secrets
import socket
import time

import pytest

ARTIFACT = "jaeger"
GRPC, OTLP, API, HEALTH = 4317, 4318, 16686, 13133


@pytest.fixture(scope="module")
def server(image, shared_boxes):
    options = ["--read-only", "--cap-drop=ALL"]
    box = shared_boxes.run(image, ports=[GRPC, OTLP, API, HEALTH], options=options)
    box.until_http(HEALTH, "/status")
    return box


def span(service, operation, trace, identity, parent=""):
    now = time.time_ns()
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": trace,
                                "spanId": identity,
                                "parentSpanId": parent,
                                "name": operation,
                                "kind": 2,
                                "startTimeUnixNano": str(now - 5_000_000),
                                "endTimeUnixNano": str(now),
                                "attributes": [{"key": "color", "value": {"stringValue": "blue"}}],
                            }
                        ]
                    }
                ],
            }
        ]
    }


def test_health_is_ok(server):
    health = server.http(HEALTH, "/status").json

    assert health["healthy"] is True
    assert health["status"] == "StatusOK"


def test_otlp_http_trace_can_be_queried(server):
    service, trace, root, child = (
        f"shop-{secrets.token_hex(4)}",
        secrets.token_hex(16),
        "00" * 7 + "01",
        "00" * 7 + "02",
    )
    for body in (span(service, "order", trace, root), span(service, "pay", trace, child, root)):
        sent = server.http(
            OTLP, "/v1/traces", method="POST", body=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert sent.status == 200, sent.text

    def both():
        data = server.http(API, f"/api/traces/{trace}").json["data"] or [{"spans": []}]
        return data[0]["spans"] if len(data[0]["spans"]) == 2 else None

    deadline = time.monotonic() + 20
    while not (spans := both()):
        assert time.monotonic() < deadline, server.logs()
        time.sleep(0.1)
    names = {one["operationName"]: one for one in spans}

    assert set(names) == {"order", "pay"}
    assert names["pay"]["references"][0]["spanID"] == names["order"]["spanID"]
    assert {"key": "color", "type": "string", "value": "blue"} in names["order"]["tags"]
    assert service in server.http(API, "/api/services").json["data"]
    assert server.http(API, f"/api/traces?service={service}&limit=5").json["data"][0]["traceID"] == trace
    assert server.http(API, f"/api/traces?service={service}&tags=%7B%22color%22%3A%22red%22%7D").json["data"] == []


def test_v3_query_api_is_available(server):
    assert server.http(API, "/api/v3/services").status == 200


def test_otlp_grpc_port_speaks_http2(server):
    """An HTTP/2 client preface gets a SETTINGS frame."""
    host, _, port = server.address(GRPC).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        frame = connection.recv(9)

    assert frame[3] == 4


def test_port_16686_serves_a_page(server):
    page = server.http(API, "/")

    assert page.status == 200
    assert "<html" in page.text
    assert "This is not the Jaeger UI" not in page.text  # the page of a binary without user interface
    for path in ("/search?service=shop", "/trace/1"):
        assert server.http(API, path).text == page.text


def test_unknown_flag_is_an_error(image, boxes):
    box = boxes.run(image, "--no-such-flag")

    assert box.wait() == 1
    assert "unknown flag" in box.logs()


def test_server_runs_as_user_10001(server):
    assert server.user() == "10001"


def test_arguments_override_settings_and_sigterm_stops_server(image, boxes):
    box = boxes.run(image, "--set=extensions.healthcheckv2.http.endpoint=0.0.0.0:13200", ports=[13200])
    box.until_http(13200, "/status")

    assert box.stop() == 0
    assert "Shutdown complete" in box.logs()
