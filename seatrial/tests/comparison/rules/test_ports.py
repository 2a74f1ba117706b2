"""A port that differs explains failed connections."""

from __future__ import annotations

from comparison.recorded_sides import container, explained, fact, facts

MOVED = facts(container(ports=(9090,)))


def test_refused_connection_beside_another_port_is_explained():
    explanation = explained("ConnectError: Connection refused", right_facts=MOVED)

    assert explanation.rule == "port"
    assert explanation.evidence[1] == "web: none in before, 9090 in after"


def test_refused_connection_with_equal_ports_is_not():
    assert explained("ConnectError: Connection refused") is None


def test_port_is_explained():
    assert fact(facts(), MOVED, "port").explanation.rule == "port"
