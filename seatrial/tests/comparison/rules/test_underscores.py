"""Host names with an underscore are explained, other unknown names are not."""

from __future__ import annotations

import pytest
from seatrial.model.environment_facts import Trait, Variable

from comparison.recorded_sides import container, explained, fact, facts


@pytest.mark.parametrize(
    "text",
    [
        "httpx.ConnectError: [Errno -2] Name or service not known\nurl = 'http://order_api:8080/'",
        'could not translate host name "order_db" to address: Name or service not known',
        "Invalid HTTP_HOST header: 'order_api'. not valid according to RFC 1034/1035",
    ],
)
def test_unknown_host_with_underscore_is_explained(text):
    explanation = explained(text)

    assert explanation.rule == "underscore"
    assert "order_" in explanation.cause


def test_unknown_host_without_underscore_has_another_cause():
    assert explained("Name or service not known: http://web:80").rule == "dns"


def test_missing_service_and_variable_with_underscore_are_explained():
    other = facts(container(), container(name="order_api", names=()))
    value = Variable(fingerprint="33", traits=(Trait.UNDERSCORE_HOST,))

    assert fact(other, facts(), "service").explanation.rule == "underscore"
    assert fact(facts(), facts(container(variables={"MODE": value})), "variable").explanation.rule == "underscore"
