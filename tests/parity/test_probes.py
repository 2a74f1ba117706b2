"""Startup, readiness and liveness probes, seen by what they do."""

import pytest
from kubernetes import client

pytestmark = pytest.mark.service("kubernetes")
SERVICES = [
    pytest.param(name, marks=pytest.mark.service(name)) for name in ("postgresql", "localstack", "polaris", "jaeger")
]


def test_a_slow_starter_is_not_restarted(scene):
    pod = scene.until("slow", lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].ready)

    assert pod.status.container_statuses[0].restart_count == 0


def test_a_sick_service_is_restarted(scene):
    # Its status says how it ended a moment after it says that it was restarted.
    pod = scene.until("sick", lambda pod: ended(pod) and pod.status.container_statuses[0].state.running)

    assert pod.status.container_statuses[0].restart_count == 1
    assert ended(pod).exit_code in {137, 143}  # killed, not ended by itself


def ended(pod):
    """How the former life of the pod's container ended; None if it has none."""
    return pod.status.container_statuses and pod.status.container_statuses[0].last_state.terminated


def test_a_service_leads_to_nobody_who_is_not_ready(scene):
    scene.until("server", lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].ready)
    scene.until("unready", lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].state.running)

    slices = client.DiscoveryV1Api().list_namespaced_endpoint_slice(scene.namespace).items
    ready = {
        item.metadata.labels["kubernetes.io/service-name"]: [each.conditions.ready for each in item.endpoints or []]
        for item in slices
    }
    assert ready == {"server": [True], "unready": [False]}


@pytest.mark.parametrize("probe", ["startup_probe", "readiness_probe", "liveness_probe"])
@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_each_probe(floe_pods, service, probe):
    (container,) = floe_pods(service)[0].spec.containers

    assert getattr(container, probe)
