"""Watches and logs in one thread."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

from seatrial.adapters.api_streams import ApiStreams
from seatrial.ports import LogRequest

from .fake_api import FakeApi
from .streamed import LOG, PODS, WAIT, listing, read, watching


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


def test_watches_and_logs_share_one_thread(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", PODS, listing())
    api.on("GET", LOG, (200, b"2026-01-31T12:00:00Z one\n"))
    before = set(threading.enumerate())
    taken = [watching(streams)[0] for _ in range(10)]
    request = LogRequest(pod="web-0", namespace="shop", container="web")

    assert [each.change() for each in taken] == [("synced", [])] * 10
    assert [read(streams, request)[1] for _ in range(10)] == [200] * 10
    ours = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("cluster-streams")]
    assert len(ours) <= 2
