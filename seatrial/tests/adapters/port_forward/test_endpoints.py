"""Which pod a connection goes to, and SPDY's frames."""

from __future__ import annotations

import zlib

import pytest
from seatrial.adapters.port_forward.endpoints import Target, choose, service_ports, silence, targets
from seatrial.adapters.port_forward.spdy import Frames, Headers, data_frame, pong, reset

from adapters.fake_pods import endpoint, endpoint_slice

OLD, NEW, SAME = Target("a", "1", 80), Target("b", "2", 80), Target("c", "3", 80)
CREATED = {"1": "2026-01-01T00:00:00Z", "2": "2026-01-01T00:00:09Z", "3": "2026-01-01T00:00:09Z"}


def test_ports_of_a_service():
    ports = [{"port": 80}, {"port": 81, "name": "http", "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]

    assert service_ports({"spec": {"ports": ports}}) == {80: "", 81: "http"}
    assert service_ports({}) == {}


def test_ready_pods_behind_the_port():
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
def test_the_newest_first(ready, avoid, chosen):
    assert choose(ready, CREATED, frozenset(avoid)) == chosen


def test_why_there_is_none():
    elsewhere = {"conditions": {"ready": True}, "addresses": ["192.0.2.1"]}

    assert silence("web", "shop", []) == "Service shop/web has no pods"
    assert "no pods, which" in silence("web", "shop", [endpoint_slice("web", elsewhere)])
    assert "none of the 2 pods" in silence("web", "shop", [endpoint_slice("web", endpoint("a"), endpoint("b"))])


def test_frames_are_cut_wherever_they_come_in_pieces():
    wire = data_frame(3, b"hello") + pong(2) + data_frame(3, fin=True) + reset(5)
    frames = Frames()
    found = [frame for index in range(len(wire)) for frame in frames.feed(wire[index : index + 1])]

    assert [(frame.kind, frame.stream, frame.data if frame.kind == "data" else b"", frame.fin) for frame in found] == [
        ("data", 3, b"hello", False),
        ("ping", 2, b"", False),
        ("data", 3, b"", True),
        ("reset", 5, b"", False),
    ]


def test_headers_share_one_context():
    headers, inflate = Headers(), zlib.decompressobj()
    blocks = [headers.syn_stream(number, {"port": "80"}) for number in (1, 3)]

    assert [int.from_bytes(block[8:12]) for block in blocks] == [1, 3]
    assert [inflate.decompress(block[18:]) for block in blocks] == [b"\0\0\0\1\0\0\0\4port\0\0\0\x0280"] * 2
    assert len(blocks[1]) < len(blocks[0])
