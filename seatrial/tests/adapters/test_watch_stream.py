"""Watches as streams, against a fake API server."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import pytest
from seatrial.adapters import watch_stream as module
from seatrial.adapters.api_streams import ApiStreams
from seatrial.ports import Change

from .fake_api import FakeApi
from .streamed import PODS, WAIT, Taken, asked, listing, pod, watching


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.01))


def test_lists_and_then_watches_over_the_same_connection(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", PODS, listing(pod("a")))
    api.lines[PODS] = [[{"type": "ADDED", "object": pod("b", "11")}, {"type": "DELETED", "object": pod("a", "12")}]]
    taken, _ = watching(streams, labels="app=web")

    assert taken.change() == ("synced", ["a"])
    assert taken.change() == ("added", ["b"])
    assert taken.change() == ("deleted", ["a"])
    assert asked(api, "resourceVersion")[:2] == ["", "10"]
    assert asked(api, "labelSelector")[:2] == ["app=web", "app=web"]
    assert api.headers[0]["Authorization"] == "Bearer secret"


def test_listed_objects_have_kind_and_api_version(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", PODS, listing({"metadata": {"name": "a"}}))
    taken, _ = watching(streams)

    item = taken.next()
    assert isinstance(item, Change)
    assert item.objects == ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},)


def test_closed_watch_resumes_after_the_last_change_or_bookmark_without_a_gap(
    api: FakeApi, streams: ApiStreams
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
    api: FakeApi, streams: ApiStreams, answer: list[Any]
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
    api: FakeApi, streams: ApiStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNNOTICED", 0.0)
    api.on("GET", PODS, listing())
    api.lines[PODS] = [[], [{"type": "ADDED", "object": pod("a", "11")}]]
    taken, _ = watching(streams)

    assert taken.change() == ("synced", [])
    assert taken.missed().reason == "closed by the server"
    assert taken.change() == ("added", ["a"])


def test_lost_connection_and_busy_server_are_tried_again(api: FakeApi, streams: ApiStreams) -> None:
    api.drop = 2
    api.on("GET", PODS, (503, {"message": "starting"}), listing(pod("a")))
    taken, _ = watching(streams)

    assert taken.change() == ("synced", ["a"])


def test_forbidden_kind_is_a_gap_without_end_until_the_server_allows_it(api: FakeApi, streams: ApiStreams) -> None:
    refused = (403, {"message": "pods is forbidden"})
    api.on("GET", PODS, refused, refused, refused, listing(pod("a")))
    taken, _ = watching(streams)

    gap = taken.missed()
    assert (gap.ended, gap.reason) == (False, "pods is forbidden")
    ended = taken.missed()
    assert (ended.ended, ended.since, ended.reason) == (True, gap.since, "pods is forbidden")
    assert taken.change() == ("synced", ["a"])


def test_server_that_restarts_and_refuses_for_a_moment_is_watched_again(api: FakeApi, streams: ApiStreams) -> None:
    api.on("GET", PODS, listing(pod("a")))
    api.lines[PODS] = [[403], [404], [{"type": "ADDED", "object": pod("b", "11")}]]
    taken, _ = watching(streams)

    assert taken.change() == ("synced", ["a"])
    gap, ended = taken.missed(), taken.missed()
    assert (gap.ended, ended.ended, ended.since) == (False, True, gap.since)
    assert taken.change() == ("added", ["b"])
    assert asked(api, "resourceVersion")[:4] == ["", "10", "10", "10"]


def test_kind_that_the_server_does_not_have_is_silent(api: FakeApi, streams: ApiStreams) -> None:
    taken, _ = watching(streams)
    api.on("GET", "/api/v1/namespaces/other/pods", listing(pod("a")))
    other = Taken()
    streams.call(partial(streams.watch, "v1/Pod", "other", take=other))

    assert other.change() == ("synced", ["a"])
    assert taken.items.empty()


def test_closed_watch_reports_nothing_more(api: FakeApi, streams: ApiStreams) -> None:
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
