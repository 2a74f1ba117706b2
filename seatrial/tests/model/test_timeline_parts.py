from __future__ import annotations

import msgspec
import pytest
from seatrial.model import timeline_parts as parts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (parts.ClusterObject(kind="Node", name="n"), b'{"kind":"Node","name":"n"}'),
        (parts.Termination(exit_code=0), b'{"exit_code":0}'),
        (parts.EndpointPort(port=80), b'{"port":80}'),
        (parts.Endpoint(addresses=("10.0.0.1",), terminating=True), b'{"addresses":["10.0.0.1"],"terminating":true}'),
    ],
)
def test_parts_of_records_leave_out_default_values(value: msgspec.Struct, text: bytes) -> None:
    assert msgspec.json.encode(value) == text
    assert msgspec.json.decode(text, type=type(value)) == value
