"""Test the chart's policies: default deny, and access for clients. Enforcement is tested with real connections."""

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


def test_policies_deny_by_default(policies):
    deny = policies["default-deny"]

    assert deny.pod_selector.match_labels == {"app.kubernetes.io/part-of": "floe"}
    assert sorted(deny.policy_types) == ["Egress", "Ingress"]
    assert not deny.ingress
    assert not deny.egress


@pytest.mark.parametrize("service", ["postgresql", "localstack", "polaris", "jaeger"])
def test_policies_admit_clients_of_each_service(policies, service):
    peers = [peer for rule in policies[f"to-{service}"].ingress for peer in rule._from]

    assert {"app": "test-runner"} in [peer.pod_selector.match_labels for peer in peers if peer.pod_selector]


def test_denied_pod_is_unreachable(scene, enforced):
    assert scene.reaches("server"), "no policy selects this pod, so a failure is caused by the network"
    assert not scene.reaches("unready")


@pytest.mark.service("polaris", "postgresql")
def test_unadmitted_namespace_cannot_reach_catalog(scene, client_report, enforced):
    health = f"http://polaris.{scene.floe}.svc.cluster.local:8182/q/health/ready"
    assert client_report["answers"][health] == "200", "an admitted namespace reaches it"
    stranger = dataclasses.replace(scene, namespace=f"{scene.namespace}-not-admitted", labels={})
    stranger.create_all()
    try:
        stranger.until("client", lambda pod: pod.status.phase in {"Succeeded", "Failed"}, within=60)
        log = stranger.core.read_namespaced_pod_log("client", stranger.namespace, container="client")
    finally:
        stranger.remove()

    answers = json.loads(log)["answers"]
    neighbour = {answers.pop(url) for url in tuple(answers) if url.startswith("http://server")}
    assert "200" in neighbour, "reached under some name"
    assert health in answers
    assert [answer for answer in answers.values() if not answer.startswith("none: ")] == []
