from __future__ import annotations

import pytest
from seatrial.adapters.stream import message_of


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"kind": "Status", "message": "pods is forbidden"}', "pods is forbidden"),
        (b"upstream failed", "HTTP status 502: upstream failed"),
        (b'{"kind": "Status"}', 'HTTP status 502: {"kind": "Status"}'),
        (b"\xff" * 300, "HTTP status 502: " + "\ufffd" * 200),
    ],
)
def test_message_of_a_refused_request_is_that_of_the_server_or_the_begin_of_its_body(body: bytes, message: str) -> None:
    assert message_of(502, body) == message
