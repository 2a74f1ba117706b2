"""Test `IntegrationTestBase` in the way users use it."""

import socket
import threading
from typing import ClassVar

import httpx
import pytest

from testing.base_classes.integration_test_base import IntegrationTestBase, location
from testing.base_classes.probes import http


def hang_up(listener):
    """Accept one connection and send nothing."""
    listener.accept()[0].close()


class ServiceAddresses(IntegrationTestBase):
    """Collected although its name does not begin with Test."""

    required_services: ClassVar = [
        ("polaris", 8181),
        ("localstack", 4566),
        ("postgresql", 5432),
        ("jaeger", 16686),
        ("jaeger", 4318),
    ]

    def test_check_infrastructure_working_service_passes(self):
        for service, port in self.required_services:
            self.check_infrastructure(service, port)

    def test_get_service_endpoint_returns_host_and_port(self):
        catalog = self.get_service_endpoint("polaris")

        if location() != "host":
            assert str(catalog) == "polaris:8181"
        assert httpx.get(f"{catalog.url}/api/catalog/v1/config?warehouse=floe").status_code in {200, 401}

    def test_get_service_endpoint_ambiguous_port_is_an_error(self):
        assert self.get_service_endpoint("jaeger", 4318).port == 4318
        with pytest.raises(LookupError, match="2 ports of jaeger"):
            self.get_service_endpoint("jaeger")


class TestMissingService(IntegrationTestBase):
    required_services: ClassVar = [("jaeger", 16686)]
    probes: ClassVar = {("jaeger", 1): http("/")}

    def test_check_infrastructure_fails_with_cause_and_hint(self, monkeypatch):
        # No process listens on this port.
        monkeypatch.setattr(self, "get_service_host", lambda service: "127.0.0.1", raising=True)

        with pytest.raises(
            pytest.fail.Exception, match=r"(?s)jaeger does not work .*127\.0\.0\.1:1.*\nhint: (?:kubectl|seatrial|KEEP)"
        ):
            self.check_infrastructure("jaeger", 1)

    def test_check_infrastructure_port_without_probe_is_an_error(self):
        with pytest.raises(LookupError, match=r"no probe is defined for jaeger:9, only for .*jaeger:16686"):
            self.check_infrastructure("jaeger", 9)

    def test_check_infrastructure_open_port_alone_fails(self, monkeypatch):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        monkeypatch.setattr(self, "get_service_host", lambda service: "127.0.0.1", raising=True)
        monkeypatch.setattr(type(self), "probes", {("jaeger", port): http("/api/services")})

        with pytest.raises(pytest.fail.Exception, match="jaeger does not work"):
            self.check_infrastructure("jaeger", port)
        listener.close()

    def test_base_class_is_not_collected(self):
        assert not IntegrationTestBase.__test__
        assert self.__test__


class TestLocation(IntegrationTestBase):
    required_services: ClassVar = [("jaeger", 16686)]

    @pytest.mark.parametrize(
        ("environment", "mounted", "where"),
        [
            ({}, False, "host"),
            ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, False, "host"),
            ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, True, "pod"),
            ({}, True, "host"),
            ({"SEATRIAL_LOCATION": "pod"}, False, "pod"),
            ({"SEATRIAL_LOCATION": "compose"}, False, "compose"),
            ({"SEATRIAL_LOCATION": "host", "KUBERNETES_SERVICE_HOST": "10.96.0.1"}, True, "host"),
        ],
    )
    def test_location_is_detected_from_environment(self, tmp_path, environment, mounted, where):
        account = tmp_path / "namespace"
        if mounted:
            account.write_text("floe")

        assert location(environment, account=account) == where

    def test_location_setting_overrides_detection_and_is_validated(self):
        with pytest.raises(ValueError, match="SEATRIAL_LOCATION is 'cluster'"):
            location({"SEATRIAL_LOCATION": "cluster"})

    def test_location_determines_service_host(self):
        assert self.get_service_host("jaeger") == ("localhost" if location() == "host" else "jaeger")
        assert self.get_service_host("jaeger", "floe") == ("localhost" if location() == "host" else "jaeger.floe")
