"""Prepare a pytest session on the host: variables, service names and fixtures of a kept environment."""

from __future__ import annotations

import os
import socket
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.pod.fixtures.location import Location, location

if TYPE_CHECKING:
    from seatrial.model.spec import Project
    from seatrial.pod.fixtures.isolated_namespaces import IsolatedNamespaces
    from seatrial.pod.fixtures.service_fixture import Services
    from seatrial.ports import Address, Forwarder
    from seatrial.pytest_plugin.kept_environment import KeptCompose, KeptEnvironment
    from seatrial.pytest_plugin.name_resolver import NameResolver

__all__ = ["HostSession"]

_NO_ENVIRONMENT = "this project has no environment; hint: seatrial up"


class HostSession:
    """One pytest session. The configuration is loaded, and the cluster connected, when they are first needed.

    Args:
        file: the configuration file.
        config: of pytest.
    """

    def __init__(self, file: Path, config: pytest.Config) -> None:
        self._file = file
        self._options = config.known_args_namespace
        self._namespace = self._options.seatrial_namespace or os.environ.get("SEATRIAL_NAMESPACE", "")
        self._directory = config.rootpath
        self._lock = threading.RLock()
        self._forwarder: Forwarder | None = None
        self._resolver: NameResolver | None = None
        self._set_names: list[str] = []
        self._replaced: dict[str, str] = {}  # Variables that had another value before.
        self._missing: list[str] = []

    @cached_property
    def location(self) -> Location:
        """Where this process runs.

        Raises:
            pytest.UsageError: SEATRIAL_LOCATION is not valid.
        """
        try:
            return location(os.environ, said=self._options.seatrial_location)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error

    @cached_property
    def project(self) -> Project:
        """The configuration.

        Raises:
            pytest.UsageError: the configuration is not valid.
        """
        from seatrial.config.load import load  # noqa: PLC0415
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415

        try:
            project = load(str(self._file)).project
            if not self._namespace:
                return project
            from seatrial.config.guest import guest_project  # noqa: PLC0415

            return guest_project(project, self._namespace)
        except SeatrialError as error:
            raise pytest.UsageError(_one_line(error)) from error

    @cached_property
    def located(self) -> Project:
        """The configuration, in Compose with the services where the Compose file has them. Raises as `project` does."""
        where = self.location.where
        if where != "compose" and (where != "host" or self.compose is None):
            return self.project
        from seatrial.config.compose_services import compose_project  # noqa: PLC0415

        return compose_project(self.project)

    @property
    def kept(self) -> KeptEnvironment | None:
        """The kept Kubernetes environment of the project; None if it does not exist, or Compose is used."""
        if self._environment is None:
            return None
        from seatrial.pytest_plugin.kept_environment import KeptEnvironment  # noqa: PLC0415

        return self._environment if isinstance(self._environment, KeptEnvironment) else None

    @property
    def compose(self) -> KeptCompose | None:
        """The kept Compose environment of the project; None if it does not exist, or a cluster is used."""
        if self._environment is None:
            return None
        from seatrial.pytest_plugin.kept_environment import KeptCompose  # noqa: PLC0415

        return self._environment if isinstance(self._environment, KeptCompose) else None

    @cached_property
    def _environment(self) -> KeptEnvironment | KeptCompose | None:
        """The kept environment of the project; None if it does not exist."""
        if not any(_records_directory().glob("*/session.json")):
            return None
        from seatrial.pytest_plugin.kept_environment import find_kept_environment  # noqa: PLC0415

        return find_kept_environment(self._file.parent, lambda: self.project, self._namespace)

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Service and namespace, by each name that pods can use for the service."""
        from seatrial.pod.fixtures.endpoint import cluster_names  # noqa: PLC0415
        from seatrial.runner.fixture_settings import services_of  # noqa: PLC0415

        try:
            project = self.located
        except pytest.UsageError:
            # The first use of a fixture reports the error in the configuration.
            return {}
        return {
            name: (service["service"], service["namespace"])
            for service in services_of(project.service, project.runner.namespace).values()
            for name in cluster_names(service, project.runner.namespace)
        }

    def start(self) -> None:
        """Set the variables, and resolve service names from now on."""
        if self.location.where != "host":
            return
        if self.compose is not None:
            self._set_no_proxy()
            runner, compose = self.located.runner, self.located.compose
            for name, value in {**runner.values, **(compose.env if compose else {})}.items():
                self._set(name, value)
        elif self.kept is not None:
            self._set_kubeconfig(self.kept)
            self._set_no_proxy()
            try:
                self._set_runner_variables(self.kept)
            except pytest.UsageError as error:
                self._missing = str(error).splitlines()
        if self._options.seatrial_resolve == "on":
            from seatrial.pytest_plugin.name_resolver import NameResolver  # noqa: PLC0415

            self._resolver = NameResolver(self._addresses, self._unknown)
            self._resolver.install()

    def register_fixtures(self, config: pytest.Config) -> None:
        """Register the fixtures."""
        from seatrial.pod.fixtures import container_provider, fixture_plugin  # noqa: PLC0415

        if self.location.where == "host":
            fixture_plugin.install(config, fixture_plugin.FixtureProvider(self._services, self._namespaces))
            return
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        fixture_plugin.install(config, container_provider.create_provider(config, fixture_settings(self.located, {})))

    def header(self) -> list[str]:
        """Return lines for the session's header."""
        where = self.location
        if where.where != "host":
            return [f"seatrial: tests run in a {where.where}, because {where.reason}"]
        if "_environment" not in vars(self) or self._environment is None:
            return []
        if self.compose is not None:
            return [f"seatrial: tests run on the host and use Compose project {self.compose.name}"]
        assert self.kept is not None  # noqa: S101 - the other kind
        lines = [f"seatrial: tests run on the host and use cluster {self.kept.cluster}"]
        return [*lines, *(f"seatrial: {line}" for line in self._missing)]

    def close(self) -> None:
        """Restore the variables, and close all connections."""
        if self._resolver is not None:
            self._resolver.uninstall()
        if self._forwarder is not None:
            self._forwarder.close()
        while self._set_names:
            os.environ.pop(self._set_names.pop(), None)
        os.environ.update(self._replaced)

    def _set_kubeconfig(self, environment: KeptEnvironment) -> None:
        """Let Kubernetes clients use the cluster of the environment instead of the user's current context."""
        if environment.own:
            self._set("KUBECONFIG", str(environment.kubeconfig))

    def _set_no_proxy(self) -> None:
        """Exempt service names and loopback from the proxies of the environment."""
        from seatrial.adapters.proxy_exceptions import LOOPBACK, no_proxy_variables  # noqa: PLC0415

        for name, value in no_proxy_variables(os.environ, [*LOOPBACK, *self.names]).items():
            if name in os.environ:
                self._replaced.setdefault(name, os.environ[name])
                os.environ[name] = value
            else:
                self._set(name, value)

    def _set_runner_variables(self, environment: KeptEnvironment) -> None:
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.pod.fixtures.kube_client import ApiError  # noqa: PLC0415
        from seatrial.pytest_plugin.kept_environment import runner_variables  # noqa: PLC0415

        runner = self.project.runner
        if all(name in os.environ for name in (*runner.env, *runner.env_from)):
            return
        try:
            api = environment.api()
            values, self._missing = runner_variables(api, runner)
            api.close()
        except (ApiError, SeatrialError) as error:
            self._missing = [f"variables of [runner] are not set: {error}"]
            return
        for name, value in values.items():
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        # Variables of the user have priority. Workers of xdist inherit the variables.
        if name not in os.environ:
            self._set_names.append(name)
            os.environ[name] = value

    def _forward(self) -> Forwarder:
        from seatrial.adapters.port_forward.forwarder import KubeForwarder  # noqa: PLC0415
        from seatrial.pod.fixtures.endpoint import ServiceUnavailable  # noqa: PLC0415

        with self._lock:
            if self._forwarder is None:
                if self.compose is not None:
                    self._forwarder = self.compose.forwarder(self.located)
                    return self._forwarder
                if self.kept is None:
                    raise ServiceUnavailable(_NO_ENVIRONMENT)
                self._forwarder = KubeForwarder(self.kept.kube(), seed=os.getpid())
            return self._forwarder

    def _addresses(self, name: str) -> dict[int, Address] | None:
        """Return the local address of each port of a service, by a name that pods can use; None for other names."""
        if name not in self.names or self._environment is None:
            return None
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415

        service, namespace = self.names[name]
        try:
            return dict(self._forward().open(service, namespace))
        except SeatrialError as error:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}: {_one_line(error)}") from error

    def _unknown(self, name: str) -> str:
        return f"{name} is a service in {self._file.name}, but {_NO_ENVIRONMENT}" if name in self.names else ""

    def _services(self) -> Services:
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.pod.fixtures.endpoint import Endpoint, ServiceUnavailable, service_overrides  # noqa: PLC0415
        from seatrial.pod.fixtures.probes import run_probe  # noqa: PLC0415
        from seatrial.pod.fixtures.service_fixture import Services  # noqa: PLC0415
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        given = fixture_settings(self.located, {})
        services = given["services"]
        try:
            overridden = service_overrides(services, os.environ, self._options.seatrial_service)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error

        def find(name: str, port: int) -> Endpoint:
            service = services[name]
            if name in overridden:
                host, its, scheme, reason = overridden[name]
                return Endpoint(name, host, its, scheme or service["scheme"], Location("host", reason))
            try:
                places = self._forward().open(service["service"], service["namespace"])
            except SeatrialError as error:
                raise ServiceUnavailable(f"service {name} is not available: {_one_line(error)}") from error
            if port not in places:
                known = ", ".join(map(str, places))
                raise ServiceUnavailable(
                    f"Service {service['namespace']}/{service['service']} has no port {port}; its ports: {known}"
                )
            return Endpoint(name, places[port].host, places[port].port, service["scheme"], self.location)

        def reason(name: str) -> str:
            if name in overridden:
                return ""
            service = services[name]
            return self._forward().last_error(service["service"], service["namespace"])

        def reach(name: str, port: int) -> str:
            if name in overridden:
                host, its, *_ = overridden[name]
                return run_probe({"host": host, "port": its})
            service = services[name]
            return self._forward().check_port(service["service"], service["namespace"], port)

        return Services(given, self.location, find, run=self._run_in_runner_pod, reach=reach, reason=reason)

    def _run_in_runner_pod(self, argv: list[str]) -> str:
        """Run a command in the runner pod; return its error output, empty if it succeeds."""
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.ports import StreamBroken  # noqa: PLC0415

        runner = self.project.runner
        kube = self.kept.kube() if self.kept is not None else None
        try:
            if self.compose is not None:
                from seatrial.adapters.container_exec import ContainerExec  # noqa: PLC0415

                done = ContainerExec({"tests": self.compose.container(runner.pod)}).run(argv, timeout=10)
            elif kube is not None:
                done = kube.exec(runner.pod, runner.namespace).run(argv, timeout=10)
            else:
                return _NO_ENVIRONMENT
        except (SeatrialError, StreamBroken) as error:
            return str(error)
        finally:
            if kube is not None:
                kube.close()
        output = (done.stderr or done.stdout).decode(errors="replace").strip()
        return (output or f"exit code {done.code}") if done.code else ""

    def _namespaces(self) -> IsolatedNamespaces:
        from seatrial.pod.fixtures.isolated_namespaces import IsolatedNamespaces  # noqa: PLC0415
        from seatrial.pod.fixtures.kube_client import ApiError, KubeClient  # noqa: PLC0415
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        environment = self.kept

        def connect() -> KubeClient:
            if environment is None:
                raise ApiError(0, _NO_ENVIRONMENT)
            return environment.api()

        helm = (
            ["--kubeconfig", str(environment.kubeconfig), "--kube-context", environment.context] if environment else ()
        )
        return IsolatedNamespaces(
            connect,
            fixture_settings(self.project, environment.labels if environment else {}),
            rights=None,
            helm=helm,
            worker=os.environ.get("PYTEST_XDIST_WORKER", "run"),
            directory=str(self._directory),
        )


def _records_directory() -> Path:
    """Return the directory with the records of environments, without an import of the ledger."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "seatrial" / "sessions"


def _one_line(error: Any) -> str:
    """Return an error in one line; the problems of a configuration, one line each."""
    if getattr(error, "problems", ()):
        return "\n".join(map(str, error.problems))
    parts = [error.message, f": {error.reason}" if error.reason else "", f"; hint: {error.hint}" if error.hint else ""]
    return "".join(parts)
