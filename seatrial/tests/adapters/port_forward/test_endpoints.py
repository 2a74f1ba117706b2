"""The pod for a connection is chosen from EndpointSlices."""

from __future__ import annotations

import pytest
from seatrial.adapters.port_forward.endpoints import Target, choose, service_ports, targets, unavailable_reason

from adapters.fake_pods import endpoint, endpoint_slice

OLD, NEW, SAME = Target("a", "1", 80), Target("b", "2", 80), Target("c", "3", 80)
CREATED = {"1": "2026-01-01T00:00:00Z", "2": "2026-01-01T00:00:09Z", "3": "2026-01-01T00:00:09Z"}


def test_service_ports_are_its_tcp_ports():
    ports = [{"port": 80}, {"port": 81, "name": "http", "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]

    assert service_ports({"spec": {"ports": ports}}) == {80: "", 81: "http"}
    assert service_ports({}) == {}


def test_targets_are_the_ready_pods_of_a_port():
    unknown = {"targetRef": {"kind": "Pod", "name": "u", "uid": "uid-u"}}
    elsewhere = {"conditions": {"ready": True}, "addresses": ["192.0.2.1"]}
    web = endpoint_slice("web", endpoint("a"), endpoint("b", ready=False), unknown, elsewhere, port_name="http")

    assert targets([web, web], "http") == [Target("a", "uid-a", 8080), Target("u", "uid-u", 8080)]
    assert targets([web], "admin") == []


@pytest.mark.parametrize(
    ("ready", "avoid", "chosen"),
    [
        ([], "", None),
        ([OLD, NEW], "", NEW),
        ([NEW, SAME], "", SAME),
        ([OLD, NEW], "2", OLD),
        ([OLD], "1", OLD),
        ([Target("z", "9", 80), OLD], "", OLD),
    ],
)
def test_choose_prefers_the_newest_pod(ready, avoid, chosen):
    assert choose(ready, CREATED, frozenset(avoid)) == chosen


def test_unavailable_reason_names_the_service():
    elsewhere = {"conditions": {"ready": True}, "addresses": ["192.0.2.1"]}

    assert unavailable_reason("web", "shop", []) == "Service shop/web has no pods"
    assert "are not pods" in unavailable_reason("web", "shop", [endpoint_slice("web", elsewhere)])
    two = endpoint_slice("web", endpoint("a"), endpoint("b"))
    assert "none of the 2 pods" in unavailable_reason("web", "shop", [two])
