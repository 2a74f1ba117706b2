"""Watches and logs in one thread, against a fake API server."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from seatrial.adapters import api_streams as module
from seatrial.adapters.api_streams import ApiStreams
from seatrial.adapters.kube_api import KubeApi
from seatrial.ports import Change, LogRequest, Missed

from .fake_api import FakeApi

PODS = "/api/v1/namespaces/shop/pods"
LOG = f"{PODS}/web-0/log"
WAIT = 10.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.01))


@pytest.fixture
def streams(kube: KubeApi) -> Iterator[ApiStreams]:
    made = kube.streams()
    yield made
    made.close()


class Taken:
    """What a watch reports, in order."""

    def __init__(self) -> None:
        self.items: queue.SimpleQueue[Change | Missed] = queue.SimpleQueue()

    def __call__(self, item: Change | Missed) -> None:
        self.items.put(item)

    def next(self) -> Change | Missed:
        return self.items.get(timeout=WAIT)

    def change(self) -> tuple[str, list[str]]:
        """Return type and names of objects of the next change."""
        item = self.next()
        assert isinstance(item, Change), item
        return item.type, [obj["metadata"]["name"] for obj in item.objects]

    def missed(self) -> Missed:
        item = self.next()
        assert isinstance(item, Missed), item
        return item


def pod(name: str, version: str = "1") -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "resourceVersion": version}}


def listing(*pods: dict[str, Any], version: str = "10") -> tuple[int, Any]:
    return 200, {"metadata": {"resourceVersion": version}, "items": list(pods)}


def watching(streams: ApiStreams, *, labels: str = "") -> tuple[Taken, Callable[[], None]]:
    taken = Taken()
    ends: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    streams.call(lambda: ends.put(streams.watch("v1/Pod", "shop", labels=labels, take=taken)))
    return taken, ends.get(timeout=WAIT)


def asked(api: FakeApi, name: str) -> list[str]:
    """Return the values of a query parameter over all requests of pods."""
    return [value for _, path, query in api.asked if path == PODS for value in query.get(name, [""])]


class TestWatch:
    def test_lists_and_then_watches_over_the_same_connection(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", PODS, listing(pod("a")))
        api.lines[PODS] = [[{"type": "ADDED", "object": pod("b", "11")}, {"type": "DELETED", "object": pod("a", "12")}]]
        taken, _ = watching(streams, labels="app=web")

        assert taken.change() == ("synced", ["a"])
        assert taken.change() == ("added", ["b"])
        assert taken.change() == ("deleted", ["a"])
        assert asked(api, "resourceVersion")[:2] == ["", "10"]
        assert asked(api, "labelSelector")[:2] == ["app=web", "app=web"]
        assert api.headers[0]["Authorization"] == "Bearer secret"

    def test_listed_objects_have_kind_and_api_version(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", PODS, listing({"metadata": {"name": "a"}}))
        taken, _ = watching(streams)

        item = taken.next()
        assert isinstance(item, Change)
        assert item.objects == ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},)

    def test_closed_watch_resumes_after_the_last_change_or_bookmark_without_a_gap(
        self, api: FakeApi, streams: ApiStreams
    ) -> None:
        api.on("GET", PODS, listing())
        api.lines[PODS] = [
            [{"type": "ADDED", "object": pod("a", "11")}],
            [{"type": "BOOKMARK", "object": pod("", "15")}],
            [{"type": "ADDED", "object": pod("b", "16")}],
        ]
        taken, _ = watching(streams)

        assert [taken.change() for _ in range(3)] == [("synced", []), ("added", ["a"]), ("added", ["b"])]
        assert asked(api, "resourceVersion")[:4] == ["", "10", "11", "15"]

    @pytest.mark.parametrize(
        "answer", [[410], [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}]]
    )
    def test_expired_version_is_a_gap_after_which_everything_is_listed(
        self, api: FakeApi, streams: ApiStreams, answer: list[Any]
    ) -> None:
        api.on("GET", PODS, listing(pod("a")), listing(pod("b"), version="20"))
        api.lines[PODS] = [answer, [{"type": "ADDED", "object": pod("c", "21")}]]
        taken, _ = watching(streams)

        assert taken.change() == ("synced", ["a"])
        gap = taken.missed()
        assert gap.ended
        assert gap.reason
        assert taken.change() == ("synced", ["b"])
        assert taken.change() == ("added", ["c"])

    def test_long_interruption_is_reported_although_no_change_was_lost(
        self, api: FakeApi, streams: ApiStreams, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_UNNOTICED", 0.0)
        api.on("GET", PODS, listing())
        api.lines[PODS] = [[], [{"type": "ADDED", "object": pod("a", "11")}]]
        taken, _ = watching(streams)

        assert taken.change() == ("synced", [])
        assert taken.missed().reason == "closed by the server"
        assert taken.change() == ("added", ["a"])

    def test_lost_connection_and_busy_server_are_tried_again(self, api: FakeApi, streams: ApiStreams) -> None:
        api.drop = 2
        api.on("GET", PODS, (503, {"message": "starting"}), listing(pod("a")))
        taken, _ = watching(streams)

        assert taken.change() == ("synced", ["a"])

    def test_forbidden_kind_is_an_endless_gap(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", PODS, (403, {"message": "pods is forbidden"}))
        taken, _ = watching(streams)

        gap = taken.missed()
        assert (gap.ended, gap.reason) == (False, "pods is forbidden")

    def test_kind_that_the_server_does_not_have_is_silent(self, api: FakeApi, streams: ApiStreams) -> None:
        taken, _ = watching(streams)
        api.on("GET", "/api/v1/namespaces/other/pods", listing(pod("a")))
        other = Taken()
        streams.call(partial(streams.watch, "v1/Pod", "other", take=other))

        assert other.change() == ("synced", ["a"])
        assert taken.items.empty()

    def test_closed_watch_reports_nothing_more(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", PODS, listing())
        taken, end = watching(streams)
        assert taken.change() == ("synced", [])
        deadline = time.monotonic() + WAIT
        while "true" not in asked(api, "watch"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        done = threading.Event()
        streams.call(end)
        streams.call(done.set)
        assert done.wait(WAIT)
        before = len(api.asked)
        later = threading.Event()
        streams.call(later.set, after=0.05)

        assert later.wait(WAIT)
        assert taken.items.empty()
        assert len(api.asked) == before


class TestLog:
    def read(self, streams: ApiStreams, request: LogRequest) -> tuple[bytes, int, str]:
        """Return the data, the status and the reason at the end."""
        pieces: list[bytes] = []
        end: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

        def ended(status: int, reason: str) -> None:
            end.put((status, reason))

        streams.call(partial(streams.log, request, data=pieces.append, ended=ended))
        status, reason = end.get(timeout=WAIT)
        return b"".join(pieces), status, reason

    def test_log_is_read_to_its_end_with_the_time_of_each_line(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", LOG, (200, b"2026-01-31T12:00:00Z one\n2026-01-31T12:00:01Z two\n"))

        data, status, reason = self.read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

        assert (data.count(b"\n"), status, reason) == (2, 200, "")
        assert api.asked[-1][2] == {"container": ["web"], "timestamps": ["true"], "follow": ["true"]}

    def test_request_can_ask_for_later_lines_of_the_run_before_without_following(
        self, api: FakeApi, streams: ApiStreams
    ) -> None:
        api.on("GET", LOG, (200, b""))
        since = "2026-01-31T12:00:00Z"

        self.read(
            streams,
            LogRequest(pod="web-0", namespace="shop", container="web", since=since, previous=True, follow=False),
        )

        assert api.asked[-1][2] == {
            "container": ["web"],
            "timestamps": ["true"],
            "sinceTime": [since],
            "previous": ["true"],
        }

    def test_refused_request_ends_with_status_and_reason(self, api: FakeApi, streams: ApiStreams) -> None:
        api.on("GET", LOG, (400, {"message": "container is waiting to start"}))

        data, status, reason = self.read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

        assert (data, status, reason) == (b"", 400, "container is waiting to start")

    def test_lost_connection_ends_with_status_0(self, api: FakeApi, streams: ApiStreams) -> None:
        api.drop = 1

        _, status, reason = self.read(streams, LogRequest(pod="web-0", namespace="shop", container="web"))

        assert status == 0
        assert reason


def test_calls_run_in_the_order_of_their_time(streams: ApiStreams) -> None:
    order: queue.SimpleQueue[str] = queue.SimpleQueue()
    streams.call(lambda: order.put("later"), after=0.05)
    streams.call(lambda: order.put("first"))
    streams.call(lambda: order.put("second"))

    assert [order.get(timeout=WAIT) for _ in range(3)] == ["first", "second", "later"]


def test_error_of_a_callback_ends_the_streams_and_is_returned_by_close(streams: ApiStreams) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    streams.call(fails)
    with suppress(RuntimeError):
        streams._thread.join(WAIT)

    assert not streams.is_running
    assert isinstance(streams.close(), ZeroDivisionError)
    assert isinstance(streams.close(), ZeroDivisionError)
