"""A connection to localhost is explained, an ordinary refused connection is not."""

from __future__ import annotations

import pytest
from seatrial.model.environment_facts import Trait, Variable

from comparison.recorded_sides import container, explained, fact, facts


@pytest.mark.parametrize(
    "text",
    [
        "httpx.ConnectError: [Errno 111] Connection refused\nurl = 'http://localhost:8080/orders'",
        'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=80): Max retries: Errno 111",
    ],
)
def test_refused_connection_to_localhost_is_explained(text):
    explanation = explained(text)

    assert explanation.rule == "localhost"
    assert "in after" in explanation.cause
    assert "service(" in explanation.remedy


def test_refused_connection_to_another_host_is_not():
    assert explained("Connection refused: http://web:80") is None


def test_log_line_of_a_listening_server_is_no_evidence():
    logs = {"web-1/c": "listening on 127.0.0.1:80"}

    assert explained("Connection refused: http://web:80", logs=logs) is None


def test_variable_that_names_localhost_is_explained():
    value = Variable(fingerprint="33", traits=(Trait.LOOPBACK,))

    difference = fact(facts(), facts(container(variables={"MODE": value})), "variable")
    assert difference.explanation.cause == "variable web MODE names localhost in after"
