"""A port that differs explains failed connections."""

from __future__ import annotations

import pytest
from seatrial.model.environment_facts import EnvironmentKind

from comparison.recorded_sides import container, explained, fact, facts

MOVED = facts(container(ports=(9090,)))


def test_refused_connection_beside_another_port_is_explained():
    explanation = explained("ConnectError: Connection refused", right_facts=MOVED)

    assert explanation.rule == "port"
    assert explanation.evidence[1] == "web: none in before, 9090 in after"


def test_refused_connection_with_equal_ports_is_not():
    assert explained("ConnectError: Connection refused") is None


@pytest.mark.parametrize(
    ("text", "log", "rule"),
    [
        ("ConnectError: Connection refused", "", "port"),
        ("assert 'loose' == 'exact'", "http://store: Connection refused", None),
    ],
)
def test_port_that_differs_by_nature_explains_only_what_the_test_could_not_reach(text, log, rule):
    compose = facts(container(ports=(9090,)), kind=EnvironmentKind.COMPOSE)
    explanation = explained(text, left_facts=compose, right_facts=facts(), logs={"web": log})

    assert (explanation.rule if explanation else None) == rule


def test_port_is_explained():
    assert fact(facts(), MOVED, "port").explanation.rule == "port"
