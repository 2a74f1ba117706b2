"""Watches and logs of a fake API server, and what they report."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial
from typing import Any

from seatrial.adapters.api_streams import ApiStreams
from seatrial.ports import Change, LogRequest, Missed

from .fake_api import FakeApi

PODS = "/api/v1/namespaces/shop/pods"
LOG = f"{PODS}/web-0/log"
WAIT = 10.0


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


def read(streams: ApiStreams, request: LogRequest) -> tuple[bytes, int, str]:
    """Return the data, the status and the reason at the end."""
    pieces: list[bytes] = []
    end: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

    def ended(status: int, reason: str) -> None:
        end.put((status, reason))

    streams.call(partial(streams.log, request, data=pieces.append, ended=ended))
    status, reason = end.get(timeout=WAIT)
    return b"".join(pieces), status, reason
