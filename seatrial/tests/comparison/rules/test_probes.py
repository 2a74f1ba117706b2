"""A service without a probe that got requests too early is explained."""

from __future__ import annotations

import pytest

from comparison.recorded_sides import container, explained, fact, facts

UNPROBED = facts(container(probes=("liveness",)))


@pytest.mark.parametrize(
    "text", ["ConnectError: [Errno 111] Connection refused", "HTTPStatusError: 503 Service Unavailable"]
)
def test_early_request_is_explained(text):
    explanation = explained(text, right_facts=UNPROBED)

    assert explanation.rule == "missing-probe"
    assert explanation.cause == "web has no readiness probe in after and got requests before it was ready"


def test_early_request_of_a_probed_service_is_not():
    assert explained("503 Service Unavailable") is None


def test_compose_condition_counts_as_probe():
    left = facts(container(probes=()), container(name="app", names=(), waits_for=("web (service_healthy)",)))
    right = facts(container(probes=()), container(name="app", names=()))

    assert (
        explained("Connection refused", services=("web",), left_facts=left, right_facts=right).rule == "missing-probe"
    )


def test_probes_are_explained():
    assert fact(facts(), UNPROBED, "probes").explanation.rule == "missing-probe"
