"""Provide `IntegrationTestBase` for tests that need services, in the cluster, in Docker Compose or on a host.

    class TestCatalog(IntegrationTestBase):
        required_services = [("polaris", 8181), ("localstack", 4566)]

        def test_something(self):
            catalog = self.get_service_endpoint("polaris")  # host and port together
            httpx.get(f"{catalog.url}/api/catalog/v1/config")

The location of a test decides the host: the service's name in the cluster and in Compose, `localhost` on a host. There,
kind's port maps (8181, 4566, 16686) or a `kubectl port-forward` listen. `get_service_endpoint` also reaches every port
of every service on a host, if seatrial's pytest plugin forwards it. A required service that does not work fails the
test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import pytest

from testing.base_classes.probes import PROBES, Probe, ProbeFailed

Place = Literal["pod", "compose", "host"]

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HINTS: Final = {
    "pod": "kubectl get pods -n {namespace}; kubectl describe pod -n {namespace} -l app={service}",
    "compose": "seatrial logs --env compose {service}",
    "host": "KEEP=always make test-k8s, or: kubectl port-forward -n {namespace} svc/{service} {port}:{port}",
}


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """The address of a service for this process; `str()` is `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The HTTP URL, without a trailing slash."""
        return f"http://{self.host}:{self.port}"


def location(environment: Mapping[str, str] = os.environ, *, account: Path = _ACCOUNT) -> Place:
    """Return whether this process runs in a pod, in a container of Compose or on a host.

    `SEATRIAL_LOCATION` decides if it is set. Otherwise the process runs in a pod if the API server's address is in the
    environment and a ServiceAccount is mounted. The address alone is not sufficient, because development tools set it
    on hosts.

    Raises:
        ValueError: SEATRIAL_LOCATION is not `pod`, `compose` or `host`.
    """
    match environment.get("SEATRIAL_LOCATION", ""):
        case "pod":
            return "pod"
        case "compose":
            return "compose"
        case "host":
            return "host"
        case "":
            return "pod" if environment.get("KUBERNETES_SERVICE_HOST") and account.is_file() else "host"
        case other:
            raise ValueError(f"SEATRIAL_LOCATION is {other!r}, must be pod, compose or host")


def host_services(request: pytest.FixtureRequest) -> Any:
    """Return the fixture `service` of seatrial's plugin on a host; None elsewhere or without the plugin."""
    try:
        service = request.getfixturevalue("service")
    except pytest.FixtureLookupError:
        return None
    return service if service.location.where == "host" else None


class IntegrationTestBase:
    """Base class of tests. pytest collects its subclasses whatever their names.

    Attributes:
        required_services: Service and port that each test of the class requires.
        probes: additional or overriding probes, by Service and port.
    """

    __test__ = False
    required_services: ClassVar[Sequence[tuple[str, int]]] = ()
    probes: ClassVar[Mapping[tuple[str, int], Probe]] = {}
    _forwarded: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Enable collection of the subclass, unless it defines `__test__` itself."""
        super().__init_subclass__(**kwargs)
        if "__test__" not in cls.__dict__:
            cls.__test__ = True

    @pytest.fixture(autouse=True)
    def _require_services(self, request: pytest.FixtureRequest) -> None:
        """Fail the test before it starts, with one line, if a required service does not work."""
        self._forwarded = host_services(request)
        for service, port in self.required_services:
            self.check_infrastructure(service, port)

    def get_service_host(self, service: str, namespace: str | None = None) -> str:
        """Return the service's name, with the namespace if given; `localhost` on a host."""
        if location() == "host":
            return "localhost"
        return f"{service}.{namespace}" if namespace else service

    def get_service_endpoint(self, service: str, port: int | None = None) -> ServiceEndpoint:
        """Return host and port of a service; on a host, those that seatrial's pytest plugin forwards, if any.

        Args:
            service: name of the Kubernetes Service.
            port: port of the Service; default: the one in `required_services`.

        Raises:
            LookupError: no port is given, and `required_services` has none or several.
        """
        if port is None:
            ports = [known for name, known in self.required_services if name == service]
            if len(ports) != 1:
                raise LookupError(f"required_services has {len(ports)} ports of {service}; pass the port")
            port = ports[0]
        return self._forwarded_endpoint(service, port) or ServiceEndpoint(self.get_service_host(service), port)

    def _forwarded_endpoint(self, service: str, port: int) -> ServiceEndpoint | None:
        """Return the address that seatrial's pytest plugin forwards; None without the plugin or for an unknown port."""
        if location() != "host" or self._forwarded is None or service not in self._forwarded.names:
            return None
        # The plugin fails for a port that the Service lacks. The probe reports this with more detail.
        with contextlib.suppress(pytest.fail.Exception):
            found = self._forwarded(service, port=port, check=False)
            return ServiceEndpoint(str(found.host), int(found.port))
        return None

    def check_infrastructure(self, service: str, port: int) -> None:
        """Probe the service; fail the test, never skip it, if the service does not work.

        Raises:
            LookupError: no probe is defined for this port.
        """
        probe = self.probes.get((service, port)) or PROBES.get((service, port))
        if probe is None:
            known = ", ".join(f"{name}:{number}" for name, number in sorted({*PROBES, *self.probes}))
            raise LookupError(f"no probe is defined for {service}:{port}, only for {known}; add one to `probes`")
        endpoint = self.get_service_endpoint(service, port)
        try:
            probe(endpoint.host, endpoint.port)
        except ProbeFailed as failed:
            where = location()
            namespace = os.environ.get("FLOE_NAMESPACE") or "floe"
            hint = _HINTS[where].format(service=service, port=port, namespace=namespace)
            pytest.fail(
                f"{service} does not work ({where}): {failed}\nhint: {hint}",
                pytrace=False,
            )
