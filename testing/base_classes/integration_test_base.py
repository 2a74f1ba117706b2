"""`IntegrationTestBase`: tests that need services, in the cluster and on a host beside it.

    class TestCatalog(IntegrationTestBase):
        required_services = [("polaris", 8181), ("localstack", 4566)]

        def test_something(self):
            catalog = self.get_service_endpoint("polaris")  # host and port together
            httpx.get(f"{catalog.url}/api/catalog/v1/config")

Where a test runs decides which host it gets: the Service's name in the cluster, `localhost` on a host. There, kind's
port maps (8181, 4566, 16686) or a `kubectl port-forward` listen. `get_service_endpoint` reaches every port of every
service on a host too: it takes the address that seatrial's pytest plugin forwards, if there is one. A required service
that does not work fails the test.
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

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_BRING: Final = {
    "pod": "kubectl get pods -n {namespace}; kubectl describe pod -n {namespace} -l app={service}",
    "host": "KEEP=always make test-k8s, or: kubectl port-forward -n {namespace} svc/{service} {port}:{port}",
}


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """Where a service is for this process; `str()` is `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The same for HTTP, without a slash at its end."""
        return f"http://{self.host}:{self.port}"


def location(environment: Mapping[str, str] = os.environ, *, account: Path = _ACCOUNT) -> Literal["pod", "host"]:
    """Return whether this process runs in a pod or on a host.

    `SEATRIAL_LOCATION` decides if it is set. Otherwise a pod is where the API's address is in the environment and a
    ServiceAccount is mounted, too: development tools set the address on hosts.

    Raises:
        ValueError: SEATRIAL_LOCATION is neither `pod` nor `host`.
    """
    match environment.get("SEATRIAL_LOCATION", ""):
        case "pod":
            return "pod"
        case "host":
            return "host"
        case "":
            return "pod" if environment.get("KUBERNETES_SERVICE_HOST") and account.is_file() else "host"
        case other:
            raise ValueError(f"SEATRIAL_LOCATION is {other!r}, should be pod or host")


def host_services(request: pytest.FixtureRequest) -> Any:
    """Return the fixture `service` of seatrial's plugin on a host; None elsewhere, and where nobody brings it."""
    try:
        service = request.getfixturevalue("service")
    except pytest.FixtureLookupError:
        return None
    return service if service.location.where == "host" else None


class IntegrationTestBase:
    """Base of test classes; pytest collects its subclasses whatever their names.

    Attributes:
        required_services: Service and port of what each test of the class fails without.
        probes: further questions, or other ones, by Service and port.
    """

    __test__ = False
    required_services: ClassVar[Sequence[tuple[str, int]]] = ()
    probes: ClassVar[Mapping[tuple[str, int], Probe]] = {}
    _forwarded: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let pytest collect the subclass, unless it says otherwise itself."""
        super().__init_subclass__(**kwargs)
        if "__test__" not in cls.__dict__:
            cls.__test__ = True

    @pytest.fixture(autouse=True)
    def _require_services(self, request: pytest.FixtureRequest) -> None:
        """Fail before the test, with one line, when something that it needs does not work."""
        self._forwarded = host_services(request)
        for service, port in self.required_services:
            self.check_infrastructure(service, port)

    def get_service_host(self, service: str, namespace: str | None = None) -> str:
        """Return the service's name in the cluster, with the namespace if one is given; `localhost` on a host."""
        if location() == "host":
            return "localhost"
        return f"{service}.{namespace}" if namespace else service

    def get_service_endpoint(self, service: str, port: int | None = None) -> ServiceEndpoint:
        """Return host and port of a service: the forwarded ones of seatrial's pytest plugin, if it forwards the port.

        Args:
            service: name of the Kubernetes Service.
            port: of the Service; by default the one in `required_services`.

        Raises:
            LookupError: no port is given, and `required_services` names none or several.
        """
        if port is None:
            ports = [known for name, known in self.required_services if name == service]
            if len(ports) != 1:
                raise LookupError(f"required_services names {len(ports)} ports of {service}; give the port")
            port = ports[0]
        return self._forwarded_endpoint(service, port) or ServiceEndpoint(self.get_service_host(service), port)

    def _forwarded_endpoint(self, service: str, port: int) -> ServiceEndpoint | None:
        """Return where seatrial's pytest plugin forwards a port to; None without the plugin or for an unknown port."""
        if location() != "host" or self._forwarded is None or service not in self._forwarded.names:
            return None
        # The plugin fails for a port that the Service does not have. The probe reports that with more detail.
        with contextlib.suppress(pytest.fail.Exception):
            found = self._forwarded(service, port=port, check=False)
            return ServiceEndpoint(str(found.host), int(found.port))
        return None

    def check_infrastructure(self, service: str, port: int) -> None:
        """Ask the service its question; fail the test, never skip it, when it does not do its work.

        Raises:
            LookupError: nobody has said what to ask this port.
        """
        probe = self.probes.get((service, port)) or PROBES.get((service, port))
        if probe is None:
            known = ", ".join(f"{name}:{number}" for name, number in sorted({*PROBES, *self.probes}))
            raise LookupError(f"no question is known for {service}:{port}, only for {known}; add it to `probes`")
        endpoint = self.get_service_endpoint(service, port)
        try:
            probe(endpoint.host, endpoint.port)
        except ProbeFailed as failed:
            where = location()
            namespace = os.environ.get("FLOE_NAMESPACE") or "floe"
            bring = _BRING[where].format(service=service, port=port, namespace=namespace)
            pytest.fail(f"{service} does not work ({where}): {failed}\ntry: {bring}", pytrace=False)
