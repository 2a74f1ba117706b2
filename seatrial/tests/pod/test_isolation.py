"""What a namespace for one test is made of, and what keeps one from going."""

from __future__ import annotations

import re

import pytest
from seatrial.pod.fixtures.isolation import age, blocked, expired, objects, readable_name, unique_digits

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("tests/test_shop.py::test_refund_twice", "test-shop-refund-twice-3f2a1"),
        ("tests/shop.py::TestCart::test_add[1-ümläut]", "test-shop-testcart-add-1-ml-ut-3f2a1"),
        ("tests/test_shop.py", "test-shop-3f2a1"),
        ("run", "test-run-3f2a1"),
        ("a/test_b.py::test_[]", "test-b-test-3f2a1"),
        ("t.py::test_" + "x" * 80, "test-" + "x" * 52 + "-3f2a1"),
        ("::", "test-3f2a1"),
    ],
)
def test_names_tell_whose_they_are(nodeid, name):
    assert readable_name(nodeid, "3f2a1") == name
    assert DNS_LABEL.fullmatch(name)


def test_digits_differ():
    assert len({unique_digits(1, "gw0", number) for number in range(100)}) > 95


def made(**more):
    return {
        body["kind"]: (path, body)
        for path, body in objects(
            "test-a-1", nodeid="a.py::test_a", labels={"seatrial.dev/session": "s"}, now=1000.5, **more
        )
    }


def test_by_default_it_has_quota_and_limits():
    found = made()

    assert list(found) == ["Namespace", "ResourceQuota", "LimitRange"]
    meta = found["Namespace"][1]["metadata"]
    assert meta["labels"] == {
        "seatrial.dev/session": "s",
        "pod-security.kubernetes.io/enforce": "baseline",
        "seatrial.dev/isolated": "true",
        "seatrial.dev/expires": "4600",
    }
    assert meta["annotations"] == {"seatrial.dev/test": "a.py::test_a"}
    assert found["ResourceQuota"][1]["spec"]["hard"]["pods"] == "20"
    assert found["LimitRange"][1]["spec"]["limits"][0]["default"] == {"memory": "256Mi"}


def test_wishes():
    found = made(quota={"pods": "1"}, limits={}, default_deny=True)

    assert found["ResourceQuota"][1]["spec"]["hard"]["pods"] == "1"
    assert "LimitRange" not in found
    assert found["NetworkPolicy"][1]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ResourceQuota" not in made(quota={})


def test_rights_come_before_what_needs_them():
    found = made(rights={"role": "r", "account": "runner", "namespace": "shop"})

    assert list(found) == ["Namespace", "RoleBinding", "ResourceQuota", "LimitRange"]
    assert found["RoleBinding"][1]["subjects"] == [{"kind": "ServiceAccount", "name": "runner", "namespace": "shop"}]


def namespace(*, labels=None, deleted=False, **conditions):
    meta = {"labels": labels or {}, **({"deletionTimestamp": "now"} if deleted else {})}
    return {
        "metadata": meta,
        "status": {
            "conditions": [{"type": key, "status": "True", "message": text} for key, text in conditions.items()]
        },
    }


def test_what_dead_runs_left():
    ours = {"seatrial.dev/isolated": "true", "seatrial.dev/expires": "1000"}

    assert expired(namespace(labels=ours), 1001)
    assert not expired(namespace(labels=ours), 999)
    assert not expired(namespace(labels=ours, deleted=True), 1001)
    assert not expired(namespace(labels={"seatrial.dev/expires": "1000"}), 1001)
    assert not expired(namespace(labels={**ours, "seatrial.dev/expires": "soon"}), 1001)


def test_age():
    assert age("2026-01-31T00:00:00Z", 1769817600.0 + 7) == 7
    assert age(None, 5) == 0


def test_what_keeps_one_from_going():
    assert blocked(namespace(), 1) == ""
    assert blocked(namespace(NamespaceContentRemaining="pods. has 1"), 1) == ""
    assert blocked(namespace(NamespaceContentRemaining="pods. has 1"), 60) == "pods. has 1"
    assert blocked(namespace(), 60) == "it is still there after 60 s"
    finalizers = "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances"
    assert blocked(namespace(NamespaceFinalizersRemaining=finalizers), 1) == finalizers
