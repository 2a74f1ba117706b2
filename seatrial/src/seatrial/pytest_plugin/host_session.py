"""A pytest session on a host beside a kept environment: variables, names, fixtures as in the pod."""

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
    from seatrial.pod.fixtures.isolated_namespaces import Namespaces
    from seatrial.pod.fixtures.service_fixture import Services
    from seatrial.ports import Address, Forwarder
    from seatrial.pytest_plugin.kept_environment import Kept
    from seatrial.pytest_plugin.name_resolver import Resolver

__all__ = ["Host"]

_NOT_UP = "there is no environment of this project; hint: seatrial up"


class Host:
    """One session. Everything that costs something is done when it is first needed.

    Args:
        file: the configuration.
        config: pytest's.
    """

    def __init__(self, file: Path, config: pytest.Config) -> None:
        self._file = file
        self._options = config.known_args_namespace
        self._namespace = self._options.seatrial_namespace or os.environ.get("SEATRIAL_NAMESPACE", "")
        self._directory = config.rootpath
        self._lock = threading.RLock()
        self._forwarder: Forwarder | None = None
        self._resolver: Resolver | None = None
        self._brought: list[str] = []
        self._changed: dict[str, str] = {}  # variables that had a value before
        self._missing: list[str] = []

    @cached_property
    def location(self) -> Location:
        """Where this process runs."""
        try:
            return location(os.environ, said=self._options.seatrial_location)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error

    @cached_property
    def project(self) -> Project:
        """The configuration."""
        from seatrial.config.load import load  # noqa: PLC0415
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415

        try:
            project = load(str(self._file)).project
            if not self._namespace:
                return project
            from seatrial.config.guest import guest_project  # noqa: PLC0415

            return guest_project(project, self._namespace)
        except SeatrialError as error:
            raise pytest.UsageError(_told(error)) from error

    @cached_property
    def kept(self) -> Kept | None:
        """The environment beside us."""
        if not any(_books().glob("*/session.json")):
            return None
        from seatrial.pytest_plugin.kept_environment import kept  # noqa: PLC0415

        return kept(self._file.parent, lambda: self.project, self._namespace)

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Service and namespace by each name that a pod may use for it."""
        from seatrial.pod.fixtures.endpoint import cluster_names  # noqa: PLC0415
        from seatrial.runner.fixture_settings import services_of  # noqa: PLC0415

        try:
            namespace = self.project.runner.namespace
        except pytest.UsageError:
            # What is wrong with the configuration is told to whoever asks for a fixture.
            return {}
        return {
            name: (service["service"], service["namespace"])
            for service in services_of(self.project.service, namespace).values()
            for name in cluster_names(service, namespace)
        }

    def start(self) -> None:
        """Bring the variables in, and begin to answer for names."""
        if self.location.where != "host":
            return
        if self.kept is not None:
            self._bring_cluster(self.kept)
            self._bring_exceptions()
            try:
                self._bring_variables(self.kept)
            except pytest.UsageError as error:
                self._missing = str(error).splitlines()
        if self._options.seatrial_resolve == "on":
            from seatrial.pytest_plugin.name_resolver import Resolver  # noqa: PLC0415

            self._resolver = Resolver(self._addresses, self._unknown)
            self._resolver.install()

    def give_fixtures(self, config: pytest.Config) -> None:
        """Register the fixtures."""
        from seatrial.pod.fixtures import container_provider, fixture_plugin  # noqa: PLC0415

        if self.location.where == "host":
            fixture_plugin.install(config, fixture_plugin.Place(self._services, self._namespaces))
            return
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        fixture_plugin.install(config, container_provider.place(config, fixture_settings(self.project, {})))

    def header(self) -> list[str]:
        """Return lines for the session's header."""
        where = self.location
        if where.where != "host":
            return [f"seatrial: in a {where.where}, because {where.reason}"]
        if "kept" not in vars(self) or self.kept is None:
            return []
        lines = [f"seatrial: on the host, beside cluster {self.kept.cluster}"]
        return [*lines, *(f"seatrial: {line}" for line in self._missing)]

    def close(self) -> None:
        """Leave nothing behind."""
        if self._resolver is not None:
            self._resolver.uninstall()
        if self._forwarder is not None:
            self._forwarder.close()
        while self._brought:
            os.environ.pop(self._brought.pop(), None)
        os.environ.update(self._changed)

    def _bring_cluster(self, environment: Kept) -> None:
        """Let Kubernetes' clients find the cluster that the pod's tests find, not that of the user's own context."""
        if environment.own:
            self._set("KUBECONFIG", str(environment.kubeconfig))

    def _bring_exceptions(self) -> None:
        """Let clients reach services by name without the proxy that the environment may name."""
        from seatrial.adapters.proxy_exceptions import LOOPBACK, no_proxy_variables  # noqa: PLC0415

        for name, value in no_proxy_variables(os.environ, [*LOOPBACK, *self.names]).items():
            if name in os.environ:
                self._changed.setdefault(name, os.environ[name])
                os.environ[name] = value
            else:
                self._set(name, value)

    def _bring_variables(self, environment: Kept) -> None:
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.pod.fixtures.kube_client import Refused  # noqa: PLC0415
        from seatrial.pytest_plugin.kept_environment import variables  # noqa: PLC0415

        runner = self.project.runner
        if all(name in os.environ for name in (*runner.env, *runner.env_from)):
            return
        try:
            api = environment.api()
            values, self._missing = variables(api, runner)
            api.close()
        except (Refused, SeatrialError) as error:
            self._missing = [f"variables of [runner] are missing: {error}"]
            return
        for name, value in values.items():
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        # Whoever set one has a reason; xdist's workers inherit them.
        if name not in os.environ:
            self._brought.append(name)
            os.environ[name] = value

    def _forward(self) -> Forwarder:
        from seatrial.adapters.port_forward.forwarder import KubeForwarder  # noqa: PLC0415
        from seatrial.pod.fixtures.endpoint import Absent  # noqa: PLC0415

        with self._lock:
            if self._forwarder is None:
                if self.kept is None:
                    raise Absent(_NOT_UP)
                self._forwarder = KubeForwarder(self.kept.kube(), seed=os.getpid())
            return self._forwarder

    def _addresses(self, name: str) -> dict[int, Address] | None:
        """Return where a service's ports are, by a name that a pod may use for it."""
        if name not in self.names or self.kept is None:
            return None
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415

        service, namespace = self.names[name]
        try:
            return dict(self._forward().open(service, namespace))
        except SeatrialError as error:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}: {_told(error)}") from error

    def _unknown(self, name: str) -> str:
        return f"{name} is a service of {self._file.name}, and {_NOT_UP}" if name in self.names else ""

    def _services(self) -> Services:
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.pod.fixtures.endpoint import Absent, Endpoint, overrides  # noqa: PLC0415
        from seatrial.pod.fixtures.probes import answer  # noqa: PLC0415
        from seatrial.pod.fixtures.service_fixture import Services  # noqa: PLC0415
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        given = fixture_settings(self.project, {})
        services = given["services"]
        try:
            said = overrides(services, os.environ, self._options.seatrial_service)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error

        def find(name: str, port: int) -> Endpoint:
            service = services[name]
            if name in said:
                host, its, scheme, reason = said[name]
                return Endpoint(name, host, its, scheme or service["scheme"], Location("host", reason))
            try:
                places = self._forward().open(service["service"], service["namespace"])
            except SeatrialError as error:
                raise Absent(f"service {name} is not there: {_told(error)}") from error
            if port not in places:
                known = ", ".join(map(str, places))
                raise Absent(f"Service {service['namespace']}/{service['service']} has no port {port}; it has {known}")
            return Endpoint(name, places[port].host, places[port].port, service["scheme"], self.location)

        def reason(name: str) -> str:
            if name in said:
                return ""
            service = services[name]
            return self._forward().last_error(service["service"], service["namespace"])

        def reach(name: str, port: int) -> str:
            if name in said:
                host, its, *_ = said[name]
                return answer({"host": host, "port": its})
            service = services[name]
            return self._forward().check_port(service["service"], service["namespace"], port)

        return Services(given, self.location, find, run=self._in_the_runner, reach=reach, reason=reason)

    def _in_the_runner(self, argv: list[str]) -> str:
        """Run a command where the pod would, and return what is wrong."""
        from seatrial.model.errors import SeatrialError  # noqa: PLC0415
        from seatrial.ports import StreamBroken  # noqa: PLC0415

        runner = self.project.runner
        if self.kept is None:
            return _NOT_UP
        kube = self.kept.kube()
        try:
            done = kube.exec(runner.pod, runner.namespace).run(argv, timeout=10)
        except (SeatrialError, StreamBroken) as error:
            return str(error)
        finally:
            kube.close()
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        return (said or f"exit code {done.code}") if done.code else ""

    def _namespaces(self) -> Namespaces:
        from seatrial.pod.fixtures.isolated_namespaces import Namespaces  # noqa: PLC0415
        from seatrial.pod.fixtures.kube_client import Api, Refused  # noqa: PLC0415
        from seatrial.runner.fixture_settings import fixture_settings  # noqa: PLC0415

        environment = self.kept

        def connect() -> Api:
            if environment is None:
                raise Refused(0, _NOT_UP)
            return environment.api()

        helm = (
            ["--kubeconfig", str(environment.kubeconfig), "--kube-context", environment.context] if environment else ()
        )
        return Namespaces(
            connect,
            fixture_settings(self.project, environment.labels if environment else {}),
            rights=None,
            helm=helm,
            worker=os.environ.get("PYTEST_XDIST_WORKER", "run"),
            directory=str(self._directory),
        )


def _books() -> Path:
    """Return where the environments of this machine are written down: what costs next to nothing to look at."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "seatrial" / "sessions"


def _told(error: Any) -> str:
    """Return a failure in one line; a configuration's, a line each."""
    if getattr(error, "problems", ()):
        return "\n".join(map(str, error.problems))
    parts = [error.message, f": {error.reason}" if error.reason else "", f"; hint: {error.hint}" if error.hint else ""]
    return "".join(parts)
