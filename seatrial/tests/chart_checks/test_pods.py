from __future__ import annotations

import pytest
from seatrial.chart_checks.pods import described_pods, namespaced

SPEC = {"containers": [{"name": "c"}]}
TEMPLATE = {"template": {"spec": SPEC}}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Pod", SPEC),
        ("Deployment", TEMPLATE),
        ("Job", TEMPLATE),
        ("CronJob", {"jobTemplate": {"spec": TEMPLATE}}),
    ],
)
def test_pod_is_found_in_each_kind_that_creates_pods(kind, spec):
    (pod,) = described_pods([{"kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}])

    assert pod.spec == SPEC
    assert (str(pod.subject), pod.subject.namespace) == (f"{kind.lower()}/web", "shop")


@pytest.mark.parametrize("spec", [None, [], "text", {"template": None}, {"template": {"spec": 3}}])
def test_wrong_types_are_an_empty_specification(spec):
    (pod,) = described_pods([{"kind": "Deployment", "metadata": None, "spec": spec}])
    assert pod.spec == {}


def test_other_kinds_have_no_pods():
    assert list(described_pods([{"kind": "Service", "metadata": {"name": "web"}, "spec": TEMPLATE}])) == []


def test_namespace_of_the_release_is_the_default():
    first, second = namespaced([{"metadata": {"name": "a"}}, {"metadata": {"name": "b", "namespace": "own"}}], "shop")
    assert (first["metadata"]["namespace"], second["metadata"]["namespace"]) == ("shop", "own")
