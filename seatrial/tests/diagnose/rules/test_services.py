"""Why a Service does not answer, beyond what was recorded."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.services import Network, concerns_service, service_problems
from seatrial.model.connection import Connection, Outcome
from seatrial.model.finding import Finding, ObjectRef

LABELS = {"kubernetes.io/service-name": "web"}


def service(**spec):
    return {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }


def pod(ready=True):
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 8080, "name": "http"}]}]},
        "status": {"podIP": "10.0.0.2", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def slices(ready=True):
    endpoint = {"addresses": ["10.0.0.2"], "conditions": {"ready": ready}}
    return [{"kind": "EndpointSlice", "metadata": {"namespace": "shop", "labels": LABELS}, "endpoints": [endpoint]}]


def connection(outcome, to="pod", **more):
    fields = {"namespace": "shop", "service": "web", "to": to, "host": "10.0.0.2", "port": 8080, **more}
    return Connection(outcome=outcome, **fields)


RUNNER = {"kind": "Pod", "metadata": {"name": "tests", "namespace": "shop", "labels": {}}, "spec": {"containers": []}}


def problems(*connections, runner=RUNNER, **more):
    seen = Network(services=[service()], slices=slices(), pods=[pod()], connections=connections, runner=runner, **more)
    return [each.cause for each in service_problems(seen)]


def test_service_with_an_accepted_connection_has_no_problem():
    assert problems(connection(Outcome.OPEN), connection(Outcome.REFUSED)) == []
    assert problems() == []


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [(Outcome.REFUSED, "NotListening"), (Outcome.TIMED_OUT, "NoAnswer"), (Outcome.UNREACHABLE, "NoAnswer")],
)
def test_failed_connection_without_a_policy_is_not_blamed_on_one(outcome, cause):
    assert problems(connection(outcome)) == [cause]


def test_failed_connections_prove_nothing_without_a_runner_pod():
    assert problems(connection(Outcome.REFUSED), runner=None) == []


@pytest.mark.parametrize(
    ("others", "causes"),
    [
        ((), ["DnsUnavailable"]),
        ((connection(Outcome.OPEN, "name", host="db.shop.svc"),), []),
    ],
)
def test_dns_is_unavailable_if_no_name_resolves(others, causes):
    open_pod = connection(Outcome.OPEN)

    assert problems(connection(Outcome.UNRESOLVED, "name", host="web.shop.svc"), open_pod, *others) == causes


def test_service_without_ready_pods_is_a_finding():
    seen = Network(services=[service(), service(selector=None)], slices=slices(ready=False), pods=[pod(ready=False)])
    (found,) = service_problems(seen)

    assert (found.cause, found.message) == ("NoEndpoints", "it has no ready pod: 0 of 1 pods with app=web are ready")


def workload(name="web", replicas=1, **labels):
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}},
    }


@pytest.mark.parametrize(
    ("workloads", "cause"),
    [
        ([workload(app="web")], "NoEndpoints"),
        ([workload(replicas=0, app="web")], "ScaledDown"),
        ([workload(app="api")], "SelectorMismatch"),
        ([workload("other", app="api")], "NoEndpoints"),
    ],
)
def test_service_without_pods_names_its_workload(workloads, cause):
    (found,) = service_problems(Network(services=[service()], workloads=workloads))

    assert found.cause == cause


def test_similar_labels_identify_the_workload_that_was_meant():
    it = service(selector={"app": "web", "tier": "front"})
    (found,) = service_problems(Network(services=[it], workloads=[workload("site", app="web")]))

    assert found.message == "its selector app=web,tier=front matches no pod; the pods of deployment/site have app=web"


@pytest.mark.parametrize(
    ("cause", "kind", "message", "concerned"),
    [
        ("NoEndpoints", "Service", "it has no pod", True),
        ("DnsUnavailable", "Service", "no name resolves", True),
        ("NetworkPolicy", "NetworkPolicy", "it forbids connections of pod tests to service web: Ingress", True),
        ("NetworkPolicy", "NetworkPolicy", "it forbids connections of pod tests to service webshop: Ingress", False),
    ],
)
def test_problem_concerns_the_service_that_it_names(cause, kind, message, concerned):
    found = Finding(cause=cause, subject=ObjectRef(kind=kind, name="web", namespace="shop"), message=message)

    assert concerns_service(found, "shop", "web") is concerned


def test_problem_of_another_service_does_not_concern_it():
    (found,) = service_problems(Network(services=[service()]))

    assert not concerns_service(found, "other", "web")
