"""Causes and their symptoms."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.dependencies import causes_only, relations
from seatrial.model.finding import Finding, ObjectRef


def deployment(name, **variables):
    env = [{"name": key, "value": value} for key, value in variables.items()]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "env": env}]}}
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": {"template": template}}


def service(name):
    return {"kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": {"app": name}}}


def pods(*names, node="n"):
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    return {
        ("shop", f"{name}-1"): (
            {"metadata": {"name": f"{name}-1", "namespace": "shop"}, "spec": {"nodeName": node, "volumes": volumes}},
            ("shop", "Deployment", name),
        )
        for name in names
    }


def finding(cause, name, kind="Pod"):
    namespace = "" if kind == "Node" else "shop"
    return Finding(cause=cause, subject=ObjectRef(kind=kind, name=name, namespace=namespace), message=f"{name} {cause}")


CHAIN = relations(
    [deployment("gateway", CATALOG_URL="http://catalog/"), deployment("catalog", DB_HOST="db"), deployment("db")],
    pods("gateway", "catalog", "db"),
    [service("gateway"), service("catalog"), service("db")],
    [],
)
CIRCLE = relations(
    [deployment("a", B_URL="http://b/"), deployment("b", A_URL="http://a/")],
    pods("a", "b"),
    [service("a"), service("b")],
    [],
)


def remaining(known, *findings):
    return [(each.cause, each.subject.name) for each in causes_only(findings, known)]


def test_crash_of_users_is_a_symptom_of_a_service_that_is_down():
    root, other = finding("InsufficientResources", "db-1"), finding("Crash", "gateway-1")
    (only,) = causes_only([other, finding("Crash", "catalog-1"), root], CHAIN)

    assert only.cause == "InsufficientResources"
    assert [line.partition(" (")[2] for line in only.leads_to] == [
        "its CATALOG_URL names deployment/catalog, its DB_HOST names deployment/db)",
        "its DB_HOST names deployment/db)",
    ]


@pytest.mark.parametrize(
    ("cause", "symptom", "names"),
    [
        (("Crash", "gateway-1"), ("Crash", "db-1"), ["db-1"]),
        (("OOMKilled", "catalog-1"), ("ImageNotFound", "db-1"), ["catalog-1", "db-1"]),
        (("Crash", "catalog-1"), ("Restarted", "db-1"), ["catalog-1", "db-1"]),
    ],
)
def test_only_symptoms_of_services_that_are_down_are_left_out(cause, symptom, names):
    found = causes_only([finding(*cause), finding(*symptom)], CHAIN)

    assert [each.subject.name for each in found] == names


def test_of_a_circle_the_first_one_remains():
    assert remaining(CIRCLE, finding("Crash", "a-1"), finding("Crash", "b-1")) == [("Crash", "a-1")]


def test_problems_of_one_workload_are_one_finding():
    found = [
        finding("NoEndpoints", "db", "Service"),
        finding("ProgressDeadlineExceeded", "db", "Deployment"),
        finding("ReadinessProbe", "db-1"),
    ]

    assert remaining(CHAIN, *found) == [("ReadinessProbe", "db-1")]


def test_pending_claim_explains_the_pods_that_use_it():
    found = [finding("Unschedulable", "db-1"), finding("NoStorageClass", "data", "PersistentVolumeClaim")]

    assert remaining(CHAIN, *found) == [("NoStorageClass", "data")]


@pytest.mark.parametrize(("node", "count"), [("n", 1), ("other", 2)])
def test_unhealthy_node_explains_the_pods_on_it(node, count):
    found = [
        finding("NodeNotReady", node, "Node"),
        finding("ReadinessProbe", "db-1"),
        finding("NoEndpoints", "db", "Service"),
    ]

    assert len(remaining(CHAIN, *found)) == count


def test_missing_dns_explains_names_that_do_not_resolve():
    found = [
        finding("DnsUnavailable", "kube-dns", "Service"),
        finding("NameNotResolved", "db-1"),
        finding("OOMKilled", "catalog-1"),
    ]

    assert [name for _, name in remaining(CHAIN, *found)] == ["kube-dns", "catalog-1"]


def test_equal_findings_are_one():
    assert remaining(CHAIN, finding("Crash", "db-1"), finding("Crash", "db-1")) == [("Crash", "db-1")]
