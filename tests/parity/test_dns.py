"""Test the names by which a pod reaches a Service through Kubernetes DNS."""

import pytest

pytestmark = pytest.mark.service("kubernetes")


def test_dns_short_name_resolves_in_own_namespace(client_report):
    assert client_report["answers"]["http://server:8080/"] == "200"


def test_dns_name_with_namespace_resolves(scene, client_report):
    assert client_report["answers"][f"http://server.{scene.namespace}:8080/"] == "200"


def test_dns_full_name_resolves(scene, client_report):
    assert client_report["answers"][f"http://server.{scene.namespace}.svc.cluster.local:8080/"] == "200"


@pytest.mark.service("polaris", "postgresql")
def test_dns_service_in_other_namespace_resolves(scene, client_report):
    assert client_report["answers"][f"http://polaris.{scene.floe}:8182/q/health/ready"] == "200"


def test_dns_short_name_does_not_resolve_in_other_namespace(client_report):
    assert client_report["answers"]["http://polaris:8182/q/health/ready"].startswith("none: ")
