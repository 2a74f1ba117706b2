"""Default deny, and what the services need. Whether anybody enforces it is found out with real connections."""

import dataclasses
import json

import pytest
from cluster_api import core
from kubernetes import client

pytestmark = pytest.mark.service("kubernetes")


@pytest.fixture(scope="module")
def policies(endpoints):
    core()
    found = client.NetworkingV1Api().list_namespaced_network_policy(endpoints.namespace).items
    return {policy.metadata.name: policy.spec for policy in found}


def test_floe_denies_first(policies):
    deny = policies["default-deny"]

    assert deny.pod_selector.match_labels == {"app.kubernetes.io/part-of": "floe"}
    assert sorted(deny.policy_types) == ["Egress", "Ingress"]
    assert not deny.ingress
    assert not deny.egress


@pytest.mark.parametrize("service", ["postgresql", "localstack", "polaris", "jaeger"])
def test_each_service_lets_its_clients_in(policies, service):
    peers = [peer for rule in policies[f"to-{service}"].ingress for peer in rule._from]

    assert {"app": "test-runner"} in [peer.pod_selector.match_labels for peer in peers if peer.pod_selector]


def test_a_pod_that_nobody_may_reach_is_not_reached(scene, enforced):
    assert scene.reaches("server"), "no policy is about this one: the network itself works"
    assert not scene.reaches("unready")


@pytest.mark.service("polaris", "postgresql")
def test_a_namespace_that_is_not_admitted_does_not_reach_the_catalog(scene, said, enforced):
    health = f"http://polaris.{scene.floe}.svc.cluster.local:8182/q/health/ready"
    assert said["answers"][health] == "200", "who is admitted reaches it"
    stranger = dataclasses.replace(scene, namespace=f"{scene.namespace}-not-admitted", labels={})
    stranger.make()
    try:
        stranger.until("client", lambda pod: pod.status.phase in {"Succeeded", "Failed"}, within=60)
        log = stranger.core.read_namespaced_pod_log("client", stranger.namespace, container="client")
    finally:
        stranger.remove()

    answers = json.loads(log)["answers"]
    neighbour = {answers.pop(url) for url in tuple(answers) if url.startswith("http://server")}
    assert "200" in neighbour, "reached, by whatever name"
    assert health in answers
    assert [answer for answer in answers.values() if not answer.startswith("none: ")] == []
