"""Whose fault a failed test is: from hand-written timelines to the word."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from seatrial.diagnose.blame import blame_test
from seatrial.model.timeline import EventRecord, NodeRecord, PolicyRecord, RefusalRecord
from seatrial.model.timeline_parts import ClusterObject, Condition, EndpointPort

from diagnose.timeline_values import (
    at,
    container,
    deleted,
    disruption,
    ended,
    endpoints,
    failed,
    healthy,
    incidents,
    pod,
    services,
    workload,
)

REFUSED = "httpx.ConnectError: [Errno 111] Connection refused"
ASKED = {"services": ("store",), "addresses": ("http://web/orders",)}


def blame(test, *records):
    every = [*healthy("web", "db", "mail"), *records]
    return blame_test(test, incidents(every), services(every))


def first(test, *records):
    """Return word, fault, cause and service of the first cause."""
    found = blame(test, *records)
    if not found.causes:
        return None
    cause = found.causes[0]
    return cause.word, str(found.fault), cause.finding.cause, cause.service


def test_blame_out_of_memory_of_the_service_that_the_error_names():
    found = blame(failed(REFUSED, **ASKED), ended(reason="OOMKilled", code=137))

    assert (found.fault, found.causes[0].word) == ("service", "caused by")
    assert found.causes[0].finding.brief == "OOMKilled at 64Mi"
    assert found.causes[0].seconds == 2.0
    assert found.causes[0].links == ("the error names web", "the test failed by: refused")


def test_blame_assertion_while_its_service_restarts_is_a_coincidence():
    assert first(failed("assert 1 == 2", services=("store",)), ended()) == ("coincided with", "test", "Crash", "store")


def test_blame_nothing_while_an_unrelated_pod_restarts():
    assert blame(failed("assert 1 == 2", services=("store",)), ended("mail"), *deleted("mail", 2)).causes == ()


def test_blame_nothing_for_a_refused_address_outside_of_the_cluster():
    test = failed("ConnectionRefusedError: [Errno 111] Connection refused", addresses=("127.0.0.1:9",))

    assert blame(test, ended("web"), *deleted("mail")).causes == ()


def test_blame_a_service_that_was_asked_for_does_not_explain_another_address():
    test = failed(REFUSED, services=("store",), addresses=("http://mail:25",))

    assert first(test, ended("web")) == ("coincided with", "test", "Crash", "store")


def test_blame_nothing_that_was_over_before_the_test():
    recovered = container(when=3, seen="modified", container_id="containerd://web1b", restarts=1)

    assert blame(failed(REFUSED, begin=20, end=22, **ASKED), ended(when=1), recovered).causes == ()


def test_blame_crash_loop_that_began_long_before_the_test():
    assert first(failed(REFUSED, begin=90, end=92, **ASKED), ended(when=2)) == (
        "caused by", "service", "Crash", "store",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "cause", "fault"),
    [
        ("EvictionByEvictionAPI", "Evicted", "platform"),
        ("DeletionByTaintManager", "Evicted", "platform"),
        ("PreemptionByScheduler", "Preempted", "platform"),
        ("", "PodDeleted", "service"),
    ],
)
def test_blame_deletion_by_its_reason(reason, cause, fault):
    records = deleted(conditions=disruption(reason) if reason else ())

    assert first(failed(REFUSED, **ASKED), *records) == ("caused by", fault, cause, "store")


def test_blame_scaling_to_zero_before_the_deletion_and_the_missing_endpoints():
    records = [workload(when=9.5, replicas=0), *deleted(), endpoints(when=10.1, ready=())]

    assert first(failed(REFUSED, **ASKED), *records) == ("caused by", "service", "ScaledDown", "store")


def test_blame_new_template_for_deleted_pods():
    records = [workload(when=9.5, generation=2), *deleted()]

    assert first(failed(REFUSED, **ASKED), *records) == ("caused by", "service", "Rollout", "store")


def test_blame_database_of_the_service_that_answers_500():
    test = failed("500 Internal Server Error", addresses=("http://web/",), answers=((500, "http://web/"),))

    assert first(test, ended("db", when=9)) == ("caused by", "service", "Crash", "db")


def test_blame_database_before_the_service_that_crashes_because_of_it():
    found = blame(failed(REFUSED, **ASKED), ended("web", when=11), *deleted("db", when=9))

    assert [(each.finding.cause, each.service) for each in found.causes] == [("PodDeleted", "db"), ("Crash", "store")]


def test_blame_answer_500_of_a_service_without_another_problem():
    test = failed("assert 500 == 200", services=("store",), answers=((500, "http://web/orders"),))

    assert first(test) == ("caused by", "service", "ServerError", "store")


def test_blame_nothing_for_a_status_that_the_error_does_not_name():
    assert blame(failed("assert 1 == 2", services=("store",), answers=((500, "http://web/"),))).causes == ()


def event(reason, message, when, uid="web-1"):
    about = ClusterObject(kind="Pod", name="web-1", namespace="shop", uid=uid)
    return EventRecord(
        at=at(when), seen="added", namespace="shop", name=f"e{when}", uid=f"e{when}", regarding=about, type="Warning",
        reason=reason, message=message, last=at(int(when)),
    )  # fmt: skip


def test_blame_liveness_probe_with_what_it_asked_and_got():
    message = "Liveness probe failed: HTTP probe failed with statuscode: 500"
    killing = event("Killing", "Container c failed liveness probe, will be restarted", 9)
    found = blame(failed(REFUSED, **ASKED), event("Unhealthy", message, 8), killing, ended(code=137))

    assert found.causes[0].finding.cause == "LivenessProbe"
    assert found.causes[0].finding.message == (
        "its liveness probe failed (GET http://:8080/live), so the kubelet ended it"
    )
    assert found.causes[0].finding.evidence == (message,)


def test_blame_readiness_probe():
    unready = container(when=10, seen="modified", ready=False)

    assert first(failed(REFUSED, **ASKED), unready, endpoints(when=10.1, ready=())) == (
        "caused by", "service", "ReadinessProbe", "store",
    )  # fmt: skip


def test_blame_node_of_the_pods():
    def node(when, status):
        condition = Condition(type="Ready", status=status, message="Kubelet stopped posting node status.")
        return NodeRecord(
            at=at(when), seen="modified", name="n1", uid="n1", ready=status == "True", conditions=(condition,)
        )

    test = failed("httpx.ConnectTimeout: timed out", **ASKED)

    assert first(test, node(0, "True"), node(10, "Unknown")) == ("caused by", "platform", "NodeNotReady", "store")


@pytest.mark.parametrize(("labels", "blamed"), [({"app": "web"}, True), ({"app": "mail"}, False), ({}, True)])
def test_blame_network_policy_that_selects_the_pods(labels, blamed):
    policy = PolicyRecord(
        at=at(8), seen="added", namespace="shop", name="deny", uid="p", selector=labels, types=("Ingress",)
    )
    found = first(failed("httpx.ConnectTimeout: timed out", **ASKED), policy)

    assert found == (("caused by", "service", "NetworkPolicy", "store") if blamed else None)


def test_blame_network_policy_not_for_a_closed_connection():
    policy = PolicyRecord(at=at(8), seen="added", namespace="shop", name="deny", uid="p", types=("Ingress",))

    assert first(failed("httpx.ReadError: Connection reset by peer", **ASKED), policy) == (
        "coincided with", "test", "NetworkPolicy", "store",
    )  # fmt: skip


def test_blame_quota_in_the_namespace_of_the_test():
    refusal = RefusalRecord(
        at=at(10), namespace="test-1", by="quota", policy="small", reason="FailedCreate",
        regarding=ClusterObject(kind="ReplicaSet", name="api-5d"),
        message='Error creating: pods "api-5d-x" is forbidden: exceeded quota: small, requested: pods=1',
    )  # fmt: skip
    test = failed("NamespaceFailed: exceeded quota: small", namespaces=("test-1",))

    assert first(test, refusal) == ("caused by", "service", "QuotaExceeded", "")
    assert blame(failed("NamespaceFailed: exceeded quota: small", namespaces=("test-2",))).causes == ()


def test_blame_cluster_dns():
    every = [
        endpoints("kube-dns", namespace="kube-system"),
        endpoints("kube-dns", 9, namespace="kube-system", ready=()),
    ]
    test = failed("httpx.ConnectError: [Errno -3] Temporary failure in name resolution", addresses=("http://web",))

    assert first(test, *every) == ("caused by", "platform", "DnsUnavailable", "")
    assert first(failed("assert 1 == 2", addresses=("http://web",)), *every) is None


def test_blame_cluster_dns_for_a_service_that_looks_up_another_one():
    gone = endpoints("kube-dns", 9, namespace="kube-system", ready=())
    every = [endpoints("kube-dns", namespace="kube-system"), gone]
    timed_out = failed("httpx.ReadTimeout: timed out", addresses=("http://web/",))

    assert first(timed_out, *every) == ("caused by", "platform", "DnsUnavailable", "")
    assert first(failed("httpx.ReadTimeout: timed out", addresses=("http://db/",)), *every) is None, "it uses no other"


def test_blame_says_what_the_timeline_shows_when_the_error_names_no_address():
    assert first(failed("curl: Connection refused"), *deleted("mail")) == (
        "coincided with", "test", "PodDeleted", "mail",
    )  # fmt: skip


def test_blame_address_of_a_pod():
    address = pod().addresses[0]

    assert first(failed(f"Connection refused ({address}), port 8080"), ended()) == (
        "caused by", "service", "Crash", "store",
    )  # fmt: skip


def test_blame_deleted_service():
    gone = endpoints(when=10, ready=(), seen="deleted")
    test = failed("[Errno -2] Name or service not known", addresses=("http://web:80",))

    assert first(test, gone) == ("caused by", "service", "ServiceDeleted", "store")


def test_blame_selector_that_matches_no_ready_pod():
    assert first(failed(REFUSED, **ASKED), endpoints(when=10, ready=())) == (
        "caused by", "service", "SelectorMismatch", "store",
    )  # fmt: skip


def test_blame_target_port_that_no_container_declares():
    moved = endpoints(when=10, ports=(EndpointPort(port=9999),))

    assert first(failed(REFUSED, **ASKED), moved) == ("caused by", "service", "WrongTargetPort", "store")


def test_blame_decreased_cpu_limit_for_a_timeout():
    records = [container(when=1, cpu_limit="500m"), container(when=10, seen="modified", cpu_limit="1m")]

    assert first(failed("httpx.ReadTimeout: timed out", **ASKED), *records) == (
        "caused by", "service", "CPUThrottled", "store",
    )  # fmt: skip
    assert first(failed(REFUSED, **ASKED), *records)[0] == "coincided with"


def test_blame_init_container_that_does_not_end():
    init = container(number=2, when=1, init=True, container="wait", ready=False, started=at(-20), seen="added")
    records = [pod(number=2, when=1, ready=False), init]

    assert first(failed(REFUSED, **ASKED), *records) == ("caused by", "service", "InitContainerStuck", "store")


def test_blame_init_container_of_a_pod_that_was_deleted_soon_is_not_stuck():
    init = container(number=2, when=1, init=True, container="wait", ready=False, started=at(0), seen="added")
    gone = container(number=2, when=3, init=True, container="wait", ready=False, started=at(0), seen="deleted")
    records = [pod(number=2, when=1, ready=False), init, pod(number=2, when=3, ready=False, seen="deleted"), gone]
    causes = blame(failed(REFUSED, **ASKED), *records).causes

    assert "InitContainerStuck" not in {each.finding.cause for each in causes}


def test_blame_image_of_a_new_template_is_the_fault_of_the_service():
    stuck = container(number=2, when=10.5, seen="added", state="waiting", reason="ErrImagePull", container_id="")
    records = [workload(when=9.5, generation=2), *deleted(), pod(number=2, when=10.4, ready=False), stuck]

    assert first(failed(REFUSED, **ASKED), *records) == ("caused by", "service", "ImagePull", "store")
    assert first(failed(REFUSED, **ASKED), pod(number=2, when=10.4, ready=False), stuck) == (
        "caused by", "platform", "ImagePull", "store",
    )  # fmt: skip


def test_blame_problem_that_began_after_the_failure_is_not_its_cause():
    assert blame(failed(REFUSED, **ASKED), *deleted(when=15)).causes == ()


def test_blame_node_that_the_controller_called_unknown_later():
    condition = Condition(type="Ready", status="Unknown", message="Kubelet stopped posting", since=at(50))
    node = NodeRecord(at=at(50), seen="modified", name="n1", uid="n1", conditions=(condition,))
    test = failed("httpx.ConnectTimeout: timed out", begin=10, end=14, **ASKED)

    assert first(test, node) == ("caused by", "platform", "NodeNotReady", "store")


def test_blame_exit_code_of_a_program_although_its_probe_failed_afterwards():
    killing = event("Killing", "Container c failed liveness probe, will be restarted", 11)
    unhealthy = event("Unhealthy", "Liveness probe failed: connection refused", 10)

    assert first(failed(REFUSED, **ASKED), unhealthy, killing, ended(code=3)) == (
        "caused by", "service", "Crash", "store",
    )  # fmt: skip
    assert first(failed(REFUSED, **ASKED), unhealthy, killing, ended(code=137))[2] == "Crash"


def test_blame_pod_whose_containers_fail_while_it_is_deleted():
    first_record, last = deleted()
    failing = replace(first_record, at=at(11), phase="Failed", reason="")

    assert first(failed(REFUSED, **ASKED), first_record, failing, last) == (
        "caused by", "service", "PodDeleted", "store",
    )  # fmt: skip


def test_blame_no_problem_of_a_pod_that_was_replaced():
    stuck = container(number=2, when=1, seen="added", state="waiting", reason="CreateContainerConfigError")
    records = [pod(number=2, when=1, ready=False), stuck, *deleted(number=2, when=3), pod(number=3, when=4)]

    assert blame(failed(REFUSED, begin=20, end=22, **ASKED), *records).causes == ()


def test_blame_whatever_took_away_the_service_that_another_one_uses():
    policy = PolicyRecord(
        at=at(9), seen="added", namespace="shop", name="deny", uid="p", selector={"app": "db"}, types=("Ingress",)
    )
    test = failed("503 Service Unavailable", addresses=("http://web/",), answers=((503, "http://web/"),))

    assert first(test, policy) == ("caused by", "service", "NetworkPolicy", "db")


def test_blame_problem_at_the_failure_before_one_that_was_over():
    recovered = container(when=12, seen="modified", container_id="containerd://web1b", restarts=1)
    moved = endpoints(when=18, ports=(EndpointPort(port=9999),))
    test = failed(REFUSED, begin=9, end=20, **ASKED)

    assert first(test, ended(reason="OOMKilled", code=137), recovered, moved)[2] == "WrongTargetPort"


def test_blame_problem_that_a_watch_told_late_before_one_that_was_over_before_the_test():
    recovered = container(when=7, seen="modified", container_id="containerd://web1b", restarts=1)
    unready = container(when=13, seen="modified", container_id="containerd://web1b", restarts=1, ready=False)

    assert first(failed(REFUSED, **ASKED), ended(when=5), recovered, unready)[2] == "ReadinessProbe"
