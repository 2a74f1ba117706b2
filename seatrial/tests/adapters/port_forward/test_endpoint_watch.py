"""Ready pods of Services, kept up to date by a watch."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from seatrial.adapters.port_forward import endpoint_watch as module
from seatrial.adapters.port_forward.endpoint_watch import EndpointWatch
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Change

from adapters.fake_pods import endpoint, endpoint_slice

NONE: frozenset[str] = frozenset()


class Watch:
    """Changes come from a queue; an error in it is raised."""

    def __init__(self) -> None:
        self.changes: queue.Queue[Change | Exception | None] = queue.Queue()
        self.closed = False

    def __iter__(self) -> Iterator[Change]:
        while (change := self.changes.get(timeout=10)) is not None:
            if isinstance(change, Exception):
                raise change
            yield change

    def close(self) -> None:
        self.closed = True
        self.changes.put(None)


class Kube:
    """An API with one watch, and pods with creation timestamps."""

    def __init__(self) -> None:
        self.followed = Watch()
        self.pods: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def watch(self, kind: str, namespace: str) -> Watch:
        assert (kind, namespace) == ("discovery.k8s.io/v1/EndpointSlice", "shop")
        return self.followed

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        assert (kind, namespace) == ("v1/Pod", "shop")
        self.asked.append(name)
        return self.pods.get(name)

    def tell(self, type_: Any, *slices: dict[str, Any]) -> None:
        self.followed.changes.put(Change(type=type_, objects=slices))


@pytest.fixture
def kube() -> Kube:
    return Kube()


@pytest.fixture
def endpoints(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointWatch]:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    made = EndpointWatch(kube, "shop")  # type: ignore[arg-type]
    yield made
    made.close()
    assert kube.followed.closed


def until(endpoints: EndpointWatch, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        endpoints.wait(0.02)


def chosen(endpoints: EndpointWatch, service: str = "web", avoid: frozenset[str] = NONE) -> str:
    target = endpoints.choose(service, "", avoid)
    return target.pod if target else ""


def test_first_choice_waits_for_the_existing_endpoints(kube: Kube, endpoints: EndpointWatch) -> None:
    threading.Timer(0.1, kube.tell, ["synced", endpoint_slice("web", endpoint("web-1"))]).start()

    assert chosen(endpoints) == "web-1"
    assert chosen(endpoints, "other") == ""


def test_changes_replace_slices_by_name(kube: Kube, endpoints: EndpointWatch) -> None:
    kube.tell("synced", endpoint_slice("web", endpoint("web-1"), name="a"))
    kube.tell("added", endpoint_slice("web", endpoint("web-2"), name="b"))
    until(endpoints, lambda: chosen(endpoints, avoid=frozenset({"uid-web-1"})) == "web-2")

    kube.tell("modified", endpoint_slice("web", endpoint("web-3"), name="a"))
    kube.tell("deleted", endpoint_slice("web", endpoint("web-2"), name="b"))
    kube.tell("deleted", endpoint_slice("web", endpoint("unknown"), name="c"))
    until(endpoints, lambda: chosen(endpoints) == "web-3")


def test_all_slices_are_replaced_after_a_gap(kube: Kube, endpoints: EndpointWatch) -> None:
    kube.tell("synced", endpoint_slice("web", endpoint("web-1"), name="a"))
    kube.tell("synced", endpoint_slice("db", endpoint("db-1"), name="b"))
    until(endpoints, lambda: chosen(endpoints, "db") == "db-1")

    assert chosen(endpoints) == ""


def test_newest_of_several_pods_is_chosen(kube: Kube, endpoints: EndpointWatch) -> None:
    for name, created in (("old", "2026-01-01T00:00:00Z"), ("new", "2026-01-02T00:00:00Z")):
        kube.pods[name] = {"metadata": {"uid": f"uid-{name}", "creationTimestamp": created}}
    kube.pods["reused"] = {"metadata": {"uid": "another", "creationTimestamp": "2026-01-03T00:00:00Z"}}
    kube.tell("synced", endpoint_slice("web", endpoint("old"), endpoint("new"), endpoint("reused"), endpoint("gone")))

    assert chosen(endpoints) == "new"
    before = sorted(kube.asked)
    kube.tell("modified", endpoint_slice("web", endpoint("old"), endpoint("new")))
    until(endpoints, lambda: chosen(endpoints, avoid=frozenset({"uid-new"})) == "old")
    assert before == ["gone", "new", "old", "reused"]
    assert sorted(kube.asked) == before, "known pods are not read again"


def test_single_pod_is_chosen_without_a_request(kube: Kube, endpoints: EndpointWatch) -> None:
    kube.tell("synced", endpoint_slice("web", endpoint("web-1")))

    assert chosen(endpoints) == "web-1"
    assert kube.asked == []


def test_watch_continues_after_an_error_of_the_api(kube: Kube, endpoints: EndpointWatch) -> None:
    kube.followed.changes.put(EnvironmentFailed("the API does not answer"))
    kube.tell("synced", endpoint_slice("web", endpoint("web-1")))

    assert chosen(endpoints) == "web-1"


def test_unavailable_reason_is_that_of_the_service(kube: Kube, endpoints: EndpointWatch) -> None:
    kube.tell("synced", endpoint_slice("web", endpoint("web-1", ready=False)))
    assert chosen(endpoints) == ""

    assert endpoints.unavailable_reason("web") == "none of the 1 pods of Service shop/web is ready"
    assert endpoints.unavailable_reason("db") == "Service shop/db has no pods"


def test_closed_watch_answers_at_once(kube: Kube, endpoints: EndpointWatch) -> None:
    endpoints.close()
    before = time.monotonic()

    assert chosen(endpoints) == ""
    assert time.monotonic() - before < module._SYNC_SECONDS
    assert kube.followed.closed
