"""Facts about the environment of a run: the content of `facts.json`. Two runs are compared by them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

__all__ = [
    "FACTS_SCHEMA",
    "ContainerFacts",
    "EnvironmentFacts",
    "EnvironmentKind",
    "Limits",
    "Mount",
    "NameAnswer",
    "PolicyFacts",
    "PortAnswer",
    "RunnerFacts",
    "Trait",
    "Usage",
    "Variable",
]

FACTS_SCHEMA: Final = 1
"""Version of `facts.json`. It is raised when readers of the version before would misunderstand a field."""

_Text = Annotated[str, Meta(max_length=4096)]
_Name = Annotated[str, Meta(max_length=1024)]
_Number = Annotated[int, Meta(ge=-1, le=1 << 62)]
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]


class EnvironmentKind(StrEnum):
    """The kind of an environment."""

    KUBERNETES = "kubernetes"
    COMPOSE = "compose"


class Trait(StrEnum):
    """A property of the value of a variable that does not reveal the value."""

    EMPTY = "empty"
    LOOPBACK = "loopback"
    """The value is, or contains, `localhost`, `127.0.0.1` or `[::1]`."""
    SERVICE_LINK = "service-link"
    """The value looks like those that Kubernetes adds for Services: `tcp://10.96.0.7:5432`."""
    UNDERSCORE_HOST = "underscore-host"
    """The value is a URL or an address whose host name contains `_`."""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable.

    Attributes:
        fingerprint: keyed hash of name and value; empty if the value could not be read.
        traits: properties of the value.
    """

    fingerprint: Annotated[str, Meta(max_length=64)] = ""
    traits: Annotated[tuple[Trait, ...], Meta(max_length=8)] = ()


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One mount of a container.

    Attributes:
        path: mount point.
        kind: type of the volume or file system: `emptyDir`, `configMap`, `bind`, `volume`, `tmpfs`, `ext4`.
    """

    path: _Text
    kind: _Name
    read_only: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a container.

    Attributes:
        memory: bytes; 0: no limit.
        cpu: cores; 0: no limit.
    """

    memory: _Number = 0
    cpu: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Resources that a container used since it started, as its cgroup counts them. 0: unknown.

    Services have none: `docker stats` takes two seconds, and most clusters need an additional component to measure it.

    Attributes:
        memory_peak: most bytes in use at any time, with the page cache.
        cpu_seconds: CPU time of all processes, also of earlier runs if the container was kept.
    """

    memory_peak: _Number = 0
    cpu_seconds: _Seconds = 0.0


class NameAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the resolver to one name.

    Attributes:
        name: the name as the tests use it.
        addresses: number of addresses; 0 if the name is unknown.
        error: why it could not be resolved; empty if it was.
    """

    name: _Name
    addresses: _Number = 0
    error: _Text = ""


class PortAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the port of a service accepts connections from the container of the tests.

    Attributes:
        service: name of the service in the configuration.
        seconds: time until the connection was accepted, or until the service answered the HTTP path of its check.
        error: why the connection failed; empty if it did not.
        loopback: whether the same port is open on `127.0.0.1`.
    """

    service: _Name
    host: _Name
    port: _Number
    seconds: _Seconds = 0.0
    error: _Text = ""
    loopback: bool = False


class RunnerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a process in the container of the tests sees.

    Attributes:
        user: user id.
        groups: ids of all groups.
        read_only_root: whether `/` cannot be written.
        search: search path of the resolver.
        ndots: dots in a name from which on the resolver tries it without the search path first.
        names: answers of the resolver for each declared service.
        ports: reachability of each declared service.
        usage: memory and CPU time; comparisons do not count it as a difference. It is not recorded for services.
    """

    user: _Number
    groups: Annotated[tuple[_Number, ...], Meta(max_length=1024)] = ()
    hostname: _Name = ""
    time_zone: _Name = ""
    python: _Name = ""
    variables: Annotated[dict[_Name, Variable], Meta(max_length=10_000)] = {}
    mounts: Annotated[tuple[Mount, ...], Meta(max_length=2000)] = ()
    read_only_root: bool = False
    search: Annotated[tuple[_Name, ...], Meta(max_length=64)] = ()
    ndots: _Number = 1
    names: Annotated[tuple[NameAnswer, ...], Meta(max_length=1000)] = ()
    ports: Annotated[tuple[PortAnswer, ...], Meta(max_length=1000)] = ()
    limits: Limits = Limits()
    usage: Usage = Usage()


class ContainerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a service, as the cluster or the engine describes it.

    Attributes:
        name: of the workload or Compose service; with `/CONTAINER` if the pod has several.
        names: host names by which other containers reach it.
        image: reference.
        digest: digest of the image's manifest; empty if unknown.
        image_id: id of the image on the engine; empty if the engine does not have it.
        command: command and arguments that override those of the image.
        user: user that overrides the image's; empty: none.
        variables: environment variables that override those of the image.
        restarts: restarts of all its instances.
        last_exit: reason and exit code of the last exit: `OOMKilled 137`; empty if it never exited.
        ready: whether all its instances are ready.
        completed: whether it is meant to end, and ended with exit code 0.
        once: whether it is meant to end: a Job, or a service that others wait for until it completed.
        started: when its newest instance started.
        seconds_to_ready: from its start until it was ready; None if unknown.
        probes: what decides that it is ready: `readiness`, `startup`, `healthcheck`.
        waits_for: what it starts after: init containers, or services of `depends_on` with their condition.
        service_links: whether Kubernetes adds variables of Services to it.
        ports: ports by which other containers reach it.
        log: bytes of its log that could be read; -1 if it could not be read.
    """

    name: _Name
    names: tuple[_Name, ...] = ()
    image: _Name = ""
    digest: _Name = ""
    image_id: _Name = ""
    command: tuple[str, ...] = ()
    user: _Name = ""
    variables: dict[_Name, Variable] = {}
    limits: Limits = Limits()
    mounts: tuple[Mount, ...] = ()
    read_only_root: bool = False
    restarts: int = 0
    last_exit: str = ""
    ready: bool = True
    completed: bool = False
    once: bool = False
    started: datetime | None = None
    seconds_to_ready: float | None = None
    probes: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    service_links: bool = False
    ports: tuple[int, ...] = ()
    log: int = -1


class PolicyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A NetworkPolicy.

    Attributes:
        digest: of its specification.
    """

    name: str
    digest: str


class EnvironmentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All facts of one run.

    Attributes:
        schema: version of these fields.
        kind: kind of the environment.
        platform: version of Kubernetes, or of the engine.
        key: id of the key of the fingerprints. Fingerprints of different keys cannot be compared.
        runner: what a process in the container of the tests sees; null if it could not be asked.
        runner_problem: why it could not be asked; empty if it was.
        containers: the containers of all services, by name.
        policies: NetworkPolicies of the namespaces.
    """

    schema: int = FACTS_SCHEMA
    kind: EnvironmentKind
    platform: str = ""
    key: str = ""
    runner: RunnerFacts | None = None
    runner_problem: str = ""
    containers: tuple[ContainerFacts, ...] = ()
    policies: tuple[PolicyFacts, ...] = ()

    @property
    def variable_names(self) -> set[str]:
        """The names of all variables. They are not secret, even where one contains the value of another."""
        names = {name for each in self.containers for name in each.variables}
        return names | set(self.runner.variables if self.runner else ())
