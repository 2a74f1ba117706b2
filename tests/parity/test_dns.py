"""Kubernetes' DNS in place of entries in /etc/hosts: by which names a pod reaches a Service."""

import pytest

pytestmark = pytest.mark.service("kubernetes")


def test_the_short_name_is_enough_in_the_services_namespace(said):
    assert said["answers"]["http://server:8080/"] == "200"


def test_the_name_with_the_namespace(scene, said):
    assert said["answers"][f"http://server.{scene.namespace}:8080/"] == "200"


def test_the_full_name(scene, said):
    assert said["answers"][f"http://server.{scene.namespace}.svc.cluster.local:8080/"] == "200"


@pytest.mark.service("polaris", "postgresql")
def test_a_service_of_another_namespace_by_its_name_and_namespace(scene, said):
    assert said["answers"][f"http://polaris.{scene.floe}:8182/q/health/ready"] == "200"


def test_a_short_name_does_not_reach_into_other_namespaces(said):
    assert said["answers"]["http://polaris:8182/q/health/ready"].startswith("none: ")
