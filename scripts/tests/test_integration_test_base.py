"""Test the hosts and ports of `IntegrationTestBase` in a pod and on a host, without a cluster."""

from types import SimpleNamespace

import pytest

from testing.base_classes.integration_test_base import IntegrationTestBase, ServiceEndpoint


class Base(IntegrationTestBase):
    __test__ = False


def forwarder(*names):
    """Return a replacement of the plugin's fixture `service` that forwards every port except 9."""

    def forward(name, port, *, check):
        assert name in names
        assert not check
        if port == 9:
            pytest.fail(f"{name} has no port 9")
        return SimpleNamespace(host="127.9.9.9", port=port)

    forward.names = names
    return forward


@pytest.fixture
def base(monkeypatch):
    """`base("pod")`, `base("host", forwarded=…)`: an instance of the test class at that location."""

    def make(where, forwarded=None):
        monkeypatch.setenv("SEATRIAL_LOCATION", where)
        made = Base()
        made._forwarded = forwarded
        return made

    return make


def test_get_service_host_in_pod_is_service_name(base):
    it = base("pod")

    assert it.get_service_host("polaris") == "polaris"
    assert it.get_service_host("polaris", "floe") == "polaris.floe"
    assert it.get_service_endpoint("polaris", 8181) == ServiceEndpoint("polaris", 8181)


@pytest.mark.parametrize("up", [True, False], ids=["environment is up", "no environment"])
def test_get_service_host_on_host_is_localhost(base, up):
    it = base("host", forwarder("polaris") if up else None)

    assert it.get_service_host("polaris") == "localhost"
    assert it.get_service_host("polaris", "floe") == "localhost"


def test_get_service_endpoint_without_environment_is_localhost(base):
    assert base("host").get_service_endpoint("polaris", 8181) == ServiceEndpoint("localhost", 8181)


def test_get_service_endpoint_with_environment_is_forwarded_port(base):
    it = base("host", forwarder("jaeger"))

    assert it.get_service_endpoint("jaeger", 4318) == ServiceEndpoint("127.9.9.9", 4318)
    assert it.get_service_endpoint("elsewhere", 1) == ServiceEndpoint("localhost", 1)
    assert it.get_service_endpoint("jaeger", 9) == ServiceEndpoint("localhost", 9), "the Service has no such port"
