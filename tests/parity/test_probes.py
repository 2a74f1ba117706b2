"""Test the effects of startup, readiness and liveness probes."""

import pytest
from kubernetes import client

pytestmark = pytest.mark.service("kubernetes")
SERVICES = [
    pytest.param(name, marks=pytest.mark.service(name)) for name in ("postgresql", "localstack", "polaris", "jaeger")
]


def test_startup_probe_protects_slow_container(scene):
    pod = scene.until("slow", lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].ready)

    assert pod.status.container_statuses[0].restart_count == 0


def test_liveness_probe_restarts_failing_container(scene):
    # The status contains the reason of the end some moments after the restart count.
    pod = scene.until("sick", lambda pod: ended(pod) and pod.status.container_statuses[0].state.running)

    assert pod.status.container_statuses[0].restart_count == 1
    assert ended(pod).exit_code in {137, 143}  # killed, not exited by itself


def ended(pod):
    """Return how the previous start of the container ended; None for its first start."""
    return pod.status.container_statuses and pod.status.container_statuses[0].last_state.terminated


def test_readiness_probe_removes_pod_from_service(scene):
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
def test_chart_service_has_probe(floe_pods, service, probe):
    (container,) = floe_pods(service)[0].spec.containers

    assert getattr(container, probe)
