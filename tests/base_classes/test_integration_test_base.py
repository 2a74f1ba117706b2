"""`IntegrationTestBase`, used as its users do."""

import socket
import threading
from typing import ClassVar

import httpx
import pytest

from testing.base_classes.integration_test_base import IntegrationTestBase, location
from testing.base_classes.probes import http


def hang_up(listener):
    """Take one connection and say nothing."""
    listener.accept()[0].close()


class WhatTheServicesAre(IntegrationTestBase):
    """Collected although its name does not begin with Test."""

    required_services: ClassVar = [
        ("polaris", 8181),
        ("localstack", 4566),
        ("postgresql", 5432),
        ("jaeger", 16686),
        ("jaeger", 4318),
    ]

    def test_each_does_its_work(self):
        for service, port in self.required_services:
            self.check_infrastructure(service, port)

    def test_an_endpoint_is_host_and_port_together(self):
        catalog = self.get_service_endpoint("polaris")

        if location() == "pod":
            assert str(catalog) == "polaris:8181"
        assert httpx.get(f"{catalog.url}/api/catalog/v1/config?warehouse=floe").status_code in {200, 401}

    def test_of_several_ports_one_has_to_be_named(self):
        assert self.get_service_endpoint("jaeger", 4318).port == 4318
        with pytest.raises(LookupError, match="2 ports of jaeger"):
            self.get_service_endpoint("jaeger")


class TestWhatIsNotThere(IntegrationTestBase):
    required_services: ClassVar = [("jaeger", 16686)]
    probes: ClassVar = {("jaeger", 1): http("/")}

    def test_fails_with_what_was_seen_and_what_to_do(self, monkeypatch):
        # Nobody listens on this port of this machine.
        monkeypatch.setattr(self, "get_service_host", lambda service: "127.0.0.1", raising=True)

        with pytest.raises(
            pytest.fail.Exception, match=r"(?s)jaeger does not work .*127\.0\.0\.1:1.*\ntry: kubectl|KEEP"
        ):
            self.check_infrastructure("jaeger", 1)

    def test_a_port_that_nobody_knows_a_question_for_is_an_error(self):
        with pytest.raises(LookupError, match=r"no question is known for jaeger:9, only for .*jaeger:16686"):
            self.check_infrastructure("jaeger", 9)

    def test_an_open_port_alone_is_not_ready(self, monkeypatch):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        monkeypatch.setattr(self, "get_service_host", lambda service: "127.0.0.1", raising=True)
        monkeypatch.setattr(type(self), "probes", {("jaeger", port): http("/api/services")})

        with pytest.raises(pytest.fail.Exception, match="jaeger does not work"):
            self.check_infrastructure("jaeger", port)
        listener.close()

    def test_the_class_itself_is_not_collected(self):
        assert not IntegrationTestBase.__test__
        assert self.__test__


class TestWhereATestRuns(IntegrationTestBase):
    required_services: ClassVar = [("jaeger", 16686)]

    @pytest.mark.parametrize(
        ("environment", "mounted", "where"),
        [
            ({}, False, "host"),
            ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, False, "host"),
            ({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, True, "pod"),
            ({}, True, "host"),
            ({"SEATRIAL_LOCATION": "pod"}, False, "pod"),
            ({"SEATRIAL_LOCATION": "host", "KUBERNETES_SERVICE_HOST": "10.96.0.1"}, True, "host"),
        ],
    )
    def test_is_told_by_its_surroundings(self, tmp_path, environment, mounted, where):
        account = tmp_path / "namespace"
        if mounted:
            account.write_text("floe")

        assert location(environment, account=account) == where

    def test_or_said_outright_but_not_wrongly(self):
        with pytest.raises(ValueError, match="SEATRIAL_LOCATION is 'cluster'"):
            location({"SEATRIAL_LOCATION": "cluster"})

    def test_gives_the_host_of_a_service(self):
        assert self.get_service_host("jaeger") == ("jaeger" if location() == "pod" else "localhost")
        assert self.get_service_host("jaeger", "floe") == ("jaeger.floe" if location() == "pod" else "localhost")
