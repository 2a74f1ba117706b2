"""A blocked connection is explained where policies differ."""

from __future__ import annotations

from seatrial.model.environment_facts import PolicyFacts, PortAnswer

from comparison.recorded_sides import compared, explained, facts, run, runner

STRICT = (PolicyFacts(name="deny-all", digest="11"),)


def test_timeout_is_explained_where_policies_differ():
    explanation = explained("httpx.ConnectTimeout: timed out", right_facts=facts(policies=STRICT))

    assert explanation.rule == "network-policy"
    assert explanation.evidence[1] == "NetworkPolicy deny-all: absent in before, present in after"


def test_timeout_is_not_explained_where_policies_are_equal():
    strict = facts(policies=STRICT)

    assert explained("httpx.ConnectTimeout: timed out", left_facts=strict, right_facts=strict) is None


def test_blocked_port_and_policy_are_explained():
    blocked = runner(ports=(PortAnswer(service="web", host="web", port=80, error="timed out"),))
    found = compared(right=run(facts=facts(policies=STRICT, runner=blocked))).differences

    assert [(each.kind, each.explanation.rule) for each in found] == [
        ("port", "network-policy"),
        ("network-policy", "network-policy"),
    ]
