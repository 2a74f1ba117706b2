"""Connections that NetworkPolicies forbid."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.policies import Peer, blocking_policies


def peer(name, namespace="shop", address="10.0.0.1", **labels):
    pod = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": address},
    }
    return Peer(pod=pod, namespace_labels=labels)


def policy(name="p", namespace="shop", **spec):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def blocks(*policies, source=None, port=8080):
    found = blocking_policies(policies, source or peer("tests", team="a"), peer("web", address="10.0.0.2"), port)
    return [(each["metadata"]["name"], side) for each, side in found]


def ingress(*rules):
    return policy(policyTypes=["Ingress"], ingress=list(rules))


def test_connection_without_policies_is_allowed():
    assert blocks() == []
    assert blocks(policy(podSelector={"matchLabels": {"app": "db"}}), policy(namespace="other")) == []


def test_policy_without_rules_forbids_all():
    assert blocks(ingress()) == [("p", "Ingress")]
    assert blocks(policy()) == [("p", "Ingress")]
    assert blocks(policy(egress=[])) == [("p", "Ingress"), ("p", "Egress")]


def test_one_allowing_policy_is_enough():
    assert blocks(ingress(), ingress({})) == []


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"from": [{"podSelector": {"matchLabels": {"app": "tests"}}}]}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}, False),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.1/32"]}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "fd00::/64"}}]}, False),
        ({"ports": [{"port": 8080}]}, True),
        ({"ports": [{"port": "http"}]}, True),
        ({"ports": [{"port": "metrics"}]}, False),
        ({"ports": [{"port": 8000, "endPort": 9000}]}, True),
        ({"ports": [{"port": 80}]}, False),
        ({"ports": [{"port": 8080, "protocol": "UDP"}]}, False),
        ({"ports": [{}]}, True),
    ],
)  # fmt: skip
def test_rules_are_evaluated(rule, allowed):
    assert (blocks(ingress(rule)) == []) is allowed


def test_pods_of_another_namespace_need_a_namespace_selector():
    rule = {"from": [{"podSelector": {}}]}

    assert blocks(ingress(rule), source=peer("tests", "other")) == [("p", "Ingress")]
