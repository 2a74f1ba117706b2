"""Failed connections and names are recognized in the words of many clients."""

from __future__ import annotations

import pytest
from seatrial.comparison.rules.unreachable import NO_ANSWER, REFUSED, UNKNOWN_NAME


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (REFUSED, "[Errno 111] Connection refused"),
        (REFUSED, "connect ECONNREFUSED 10.0.0.1:80"),
        (NO_ANSWER, "httpx.ConnectTimeout: timed out"),
        (NO_ANSWER, "No route to host"),
        (UNKNOWN_NAME, "java.net.UnknownHostException: db"),
        (UNKNOWN_NAME, "getaddrinfo ENOTFOUND db"),
        (UNKNOWN_NAME, 'could not translate host name "db" to address'),
    ],
)
def test_words_of_clients_are_recognized(pattern, text):
    assert pattern.search(text)


@pytest.mark.parametrize("text", ["assert 1 == 2", "the order was refused", "name is not known"])
def test_other_failures_are_not(text):
    assert not any(pattern.search(text) for pattern in (REFUSED, NO_ANSWER, UNKNOWN_NAME))
