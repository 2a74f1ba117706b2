"""SPDY frames of port forwarding: decoding of pieces, compression of headers."""

from __future__ import annotations

import zlib

from seatrial.adapters.port_forward.spdy import Frames, Headers, data_frame, pong, reset


def test_frames_are_decoded_from_single_bytes():
    wire = data_frame(3, b"hello") + pong(2) + data_frame(3, fin=True) + reset(5)
    frames = Frames()
    found = [frame for index in range(len(wire)) for frame in frames.feed(wire[index : index + 1])]

    assert [(frame.kind, frame.stream, frame.data if frame.kind == "data" else b"", frame.fin) for frame in found] == [
        ("data", 3, b"hello", False),
        ("ping", 2, b"", False),
        ("data", 3, b"", True),
        ("reset", 5, b"", False),
    ]


def test_headers_of_a_connection_share_a_compression_context():
    headers, inflate = Headers(), zlib.decompressobj()
    blocks = [headers.syn_stream(number, {"port": "80"}) for number in (1, 3)]

    assert [int.from_bytes(block[8:12]) for block in blocks] == [1, 3]
    assert [inflate.decompress(block[18:]) for block in blocks] == [b"\0\0\0\1\0\0\0\4port\0\0\0\x0280"] * 2
    assert len(blocks[1]) < len(blocks[0])
