"""Facts of the agent are hostile: typed, bounded and safe to print."""

from __future__ import annotations

import pytest
from seatrial.runner.decoder import Malformed
from seatrial.runner.facts_decoder import decode_facts


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"user": -5}',
        b'{"user": 1, "hostname": 3}',
        b'{"user": 1, "hostname": "' + b"x" * 2000 + b'"}',
        b'{"user": 1, "variables": {"A": {"traits": ["secret"]}}}',
        b" " * (5 << 20),
        b'{"user": 1, "groups": ' + b"[" * 5000,
    ],
)
def test_anything_else_is_malformed(text):
    with pytest.raises(Malformed):
        decode_facts(text)


def test_texts_are_safe_to_print():
    assert decode_facts(b'{"user": 1, "hostname": "a\\u001b]52;c;x"}').hostname == r"a\x1b]52;c;x"
