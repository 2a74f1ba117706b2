"""Logs of containers as streams, against a fake API server."""

from __future__ import annotations

from seatrial.adapters.api_streams import ApiStreams
from seatrial.ports import LogRequest

from .fake_api import FakeApi
from .streamed import LOG, read


def test_log_is_read_to_its_end_with_the_time_of_each_line(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", LOG, (200, b"2026-01-31T12:00:00Z one\n2026-01-31T12:00:01Z two\n"))

    data, status, reason = read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

    assert (data.count(b"\n"), status, reason) == (2, 200, "")
    assert api.asked[-1][2] == {"container": ["web"], "timestamps": ["true"], "follow": ["true"]}


def test_request_can_ask_for_later_lines_of_the_run_before_without_following(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", LOG, (200, b""))
    since = "2026-01-31T12:00:00Z"

    read(
        streams,
        LogRequest(pod="web-0", namespace="shop", container="web", since=since, previous=True, follow=False),
    )

    assert api.asked[-1][2] == {
        "container": ["web"],
        "timestamps": ["true"],
        "sinceTime": [since],
        "previous": ["true"],
    }


def test_logs_that_are_not_followed_use_one_connection(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", LOG, (200, b"2026-01-31T12:00:00Z one\n"))
    request = LogRequest(pod="web-0", namespace="shop", container="web", follow=False)

    for _ in range(3):
        assert read(streams, request) == (b"2026-01-31T12:00:00Z one\n", 200, "")
    assert len(api.asked) == 3
    assert api.connections == 1


def test_refused_request_ends_with_status_and_reason(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", LOG, (400, {"message": "container is waiting to start"}))

    data, status, reason = read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

    assert (data, status, reason) == (b"", 400, "container is waiting to start")


def test_lost_connection_ends_with_status_0(api: FakeApi, streams: ApiStreams) -> None:
    api.drop = 1

    _, status, reason = read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

    assert status == 0
    assert reason
