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


@pytest.mark.parametrize(("text", "found"), [("http://web:80: refused", True), ("http://webshop:80: refused", False)])
def test_service_that_the_failure_names_concerns_a_test_that_used_another_one(text, found):
    app = container(name="app", names=())
    left, right = facts(container(), app), facts(container(probes=()), app)
    explanation = explained(f"HTTP 502: {text}", services=("app",), left_facts=left, right_facts=right)

    assert (explanation is not None and explanation.rule == "missing-probe") is found


def test_probes_are_explained():
    assert fact(facts(), UNPROBED, "probes").explanation.rule == "missing-probe"
