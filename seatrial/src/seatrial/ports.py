"""Protocols between the core and the outside world, implemented by adapters and, for tests, by `seatrial.doubles`.

Callers pass deadlines. Implementations raise `seatrial.model.errors` and `StreamBroken`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from seatrial.model.deadline import Deadline
from seatrial.model.event import Body
from seatrial.model.spec import ImageSpec, ReleaseSpec

__all__ = [
    "Address",
    "Change",
    "Charts",
    "Clock",
    "Cluster",
    "ClusterState",
    "Completed",
    "ComposeProject",
    "ContainerState",
    "Emit",
    "EngineInfo",
    "Forwarder",
    "Images",
    "Kube",
    "Lines",
    "LocalImage",
    "LogRequest",
    "Missed",
    "Nodes",
    "Object",
    "PodExec",
    "Processes",
    "Progress",
    "Registry",
    "StreamBroken",
    "Streams",
    "Warn",
    "Watch",
]

Emit = Callable[[Body], None]
Progress = Callable[[str], None]
"""Takes one line about the current work of a stage."""

Warn = Callable[[str], None]
"""Takes one line with a warning for the user."""

Object = dict[str, Any]
"""A Kubernetes object, as JSON of the API."""


class StreamBroken(Exception):
    """A connection to a pod was lost; the caller may resume it."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address and a port on this machine."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that exited. `code` is the exit code, or the negative number of a signal, as in `subprocess`."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Version and capacity of the container engine; sizes in bytes. Capacities of 0 are unknown.

    Attributes:
        version: of the engine.
        cgroup: version of the control groups that the engine uses; empty if the engine does not report it.
        root: its data directory, on its machine; empty if the engine does not report it.
        cpus: of its machine, which may be a virtual machine.
        memory: of its machine.
        free_memory: without swapping; 0 also if the engine is on another machine.
        free_disk: for images and containers; None: unknown, or the engine is on another machine.
    """

    version: str
    cgroup: str = ""
    root: str = ""
    cpus: int = 0
    memory: int = 0
    free_memory: int = 0
    free_disk: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image on the engine. `digest` is the image id, `size` is in bytes; `triggers`: it has ONBUILD steps."""

    reference: str
    digest: str
    size: int
    labels: Mapping[str, str]
    workdir: str
    env: Mapping[str, str]
    user: str
    triggers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """The state of a container in the status of its pod.

    Attributes:
        state: `gone` if the pod does not exist.
        code: exit code of a terminated container.
        reason: of a terminated or waiting container.
        message: of a terminated or waiting container.
        memory_limit: of the pod's specification, such as `512Mi`; empty: no limit, or not terminated.
    """

    state: Literal["waiting", "running", "terminated", "gone"]
    code: int | None = None
    reason: str = ""
    message: str = ""
    memory_limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that a watch reports. `synced` has all existing objects; it comes first, and after each gap."""

    type: Literal["synced", "added", "modified", "deleted"]
    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A watch did not receive changes for a time.

    Attributes:
        since: when it received the last one.
        reason: what interrupted it.
        ended: whether it goes on. If changes were lost, a change of type `synced` follows. An interruption that lasts
            may be reported first without an end, and again with the same `since` when it ends.
    """

    since: datetime
    reason: str
    ended: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """What to read of the log of a container. Each line begins with its time, as `kubectl logs --timestamps` prints it.

    Attributes:
        since: RFC 3339 time, with a precision of seconds; older lines are left out. Empty: all lines.
        previous: read the log of the run before the last restart.
        follow: go on until the container terminates.
    """

    pod: str
    namespace: str
    container: str
    since: str = ""
    previous: bool = False
    follow: bool = True


class Clock(Protocol):
    """The wall clock, with its offset from UTC. Durations use `time.monotonic` and `Deadline`."""

    def now(self) -> datetime: ...


class Processes(Protocol):
    """Programs on this machine. Each runs in its own process group, which is killed at the deadline.

    `end_orphans` terminates programs of a killed command; `stop` terminates all, until `resume` allows new ones.
    """

    def find(self, program: str) -> str | None: ...
    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        log: Path | None = None,
        line: Progress | None = None,
        check: bool = True,
        cleanup: bool = False,
    ) -> Completed: ...
    def end_orphans(self, program: str, argument: str) -> bool: ...
    def stop(self) -> None: ...
    def resume(self) -> None: ...


ClusterState = Literal["gone", "stopped", "paused", "running"]
"""The worst state of the nodes of a cluster."""


class Cluster(Protocol):
    """One cluster. `exists` is true for any cluster of this name; `identity` differs for each of them.

    `revive` starts stopped nodes and unpauses paused ones.
    """

    name: str
    context: str
    kubeconfig: Path

    def exists(self) -> bool: ...
    def identity(self) -> str: ...
    def create(self, *, deadline: Deadline, log: Path, progress: Progress) -> None: ...
    def delete(self, *, deadline: Deadline) -> None: ...
    def state(self) -> ClusterState: ...
    def revive(self, *, deadline: Deadline) -> None: ...
    def connect(self) -> Kube: ...


class Nodes(Protocol):
    """The node containers of a cluster on the local engine."""

    def names(self) -> tuple[str, ...]: ...
    def images(self) -> tuple[str, ...]: ...
    def run(self, node: str, argv: Sequence[str], *, deadline: Deadline, check: bool = True) -> Completed: ...


class Images(Protocol):
    """The images of the container engine.

    `disk_usage` returns bytes and counts shared layers once. `prune` deletes images with these labels except `exclude`
    and the newest ones.
    """

    def inspect(self, references: Sequence[str]) -> dict[str, LocalImage]: ...
    def disk_usage(self, references: Sequence[str]) -> int: ...
    def prune(self, labels: Mapping[str, str], *, keep: int, exclude: str = "") -> None: ...
    def build(self, spec: ImageSpec, reference: str, *, labels: Mapping[str, str], deadline: Deadline, log: Path,
              progress: Progress) -> LocalImage: ...  # fmt: skip


class Registry(Protocol):
    """The registry from which the nodes of a cluster pull. `name_for` is the name of an image for pods."""

    def ensure(self, *, deadline: Deadline) -> None: ...
    def name_for(self, reference: str) -> str: ...
    def digest(self, reference: str) -> str | None: ...
    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str: ...


class Charts(Protocol):
    """Helm. `end_orphans` terminates Helm processes of a killed command."""

    def version(self) -> str: ...
    def end_orphans(self) -> None: ...
    def prepare(self, release: ReleaseSpec, *, deadline: Deadline) -> None: ...
    def render(self, release: ReleaseSpec, sets: Mapping[str, str], *, deadline: Deadline) -> list[Object]: ...
    def recover(self, release: ReleaseSpec, *, revision: int | None, deadline: Deadline) -> None: ...
    def install(
        self, release: ReleaseSpec, sets: Mapping[str, str], *, labels: Mapping[str, str], deadline: Deadline, log: Path
    ) -> None: ...


class Watch(Protocol):
    """Changes of the objects of one kind, until any thread calls `close`."""

    def __iter__(self) -> Iterator[Change]: ...
    def close(self) -> None: ...


class Lines(Protocol):
    """The lines that a container prints, with their line ends, until it terminates or any thread calls `close`."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Streams(Protocol):
    """Any number of watches and logs, read by one thread. It runs all callbacks, which must not block.

    `call` runs a function in that thread after some seconds; any thread may use it. The other methods are for the
    functions that it runs. `watch` and `log` return a function that ends the stream without further callbacks. `ended`
    gets the HTTP status, 0 if the connection failed, and the reason, empty if the log was read to its end.
    `close` ends all streams; it returns the error of a callback, which ended them before: then `is_running` is false.
    """

    @property
    def is_running(self) -> bool: ...
    def call(self, function: Callable[[], object], *, after: float = 0.0) -> None: ...
    def watch(
        self, kind: str, namespace: str, *, labels: str = "", take: Callable[[Change | Missed], None]
    ) -> Callable[[], None]: ...
    def log(
        self, request: LogRequest, *, data: Callable[[bytes], None], ended: Callable[[int, str], None]
    ) -> Callable[[], None]: ...
    def close(self) -> Exception | None: ...


class Started(Protocol):
    """A command in a pod that waits for its input. `finish` sends the input, `close` disconnects."""

    def is_waiting(self) -> bool: ...
    def finish(self, stdin: bytes) -> Completed: ...
    def close(self) -> None: ...


class PodExec(Protocol):
    """Commands in one pod.

    `start` is the first half of `run`. `stream` yields the output; a connection counts as lost after `silence` seconds
    without output. The stdin of the command is empty and closed when the connection ends, so that the command can exit.
    `relay` copies the output to that of this process; `attach` connects the command to the terminal of this process.
    """

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float
    ) -> Completed: ...
    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> Started: ...
    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]: ...
    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int: ...
    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int: ...


class Kube(Protocol):
    """The Kubernetes API. A kind starts with its apiVersion: `v1/Pod`, `apps/v1/Deployment`.

    `create` returns False if the object already exists, `replace` if it changed since it was read. `dry_run_create`
    returns why the API refuses to create an object as a user; empty if it accepts.
    """

    def version(self) -> str: ...
    def answers(self, seconds: float) -> bool: ...
    def get(self, kind: str, name: str, namespace: str = "") -> Object | None: ...
    def objects(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]: ...
    def watch(self, kind: str, namespace: str = "") -> Watch: ...
    def streams(self) -> Streams: ...
    def apply(self, obj: Object) -> Object: ...
    def dry_run_create(self, obj: Object, *, user: str, groups: Sequence[str]) -> str: ...
    def create(self, obj: Object) -> bool: ...
    def replace(self, obj: Object) -> bool: ...
    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool: ...
    def logs(
        self, pod: str, namespace: str, container: str, *,
        tail: int | None = None, since: int | None = None, previous: bool = False, timestamps: bool = False,
    ) -> bytes: ...  # fmt: skip
    def follow(
        self, pod: str, namespace: str, container: str, *, tail: int | None = None, since: int | None = None
    ) -> Lines: ...
    def exec(self, pod: str, namespace: str) -> PodExec: ...


class ComposeProject(Protocol):
    """One project of Docker Compose on the local engine, with the labels of its environment.

    `config` returns a Compose file as Compose understands it, with all variables replaced and `$` written as `$$`;
    `up` creates or updates the containers of such a file. `containers` returns `docker inspect` of all containers,
    running or not, and `exec` runs commands in containers by their names. `remove` deletes containers, networks,
    volumes and images that have the labels, and terminates commands of a killed process first.
    """

    name: str

    def version(self) -> str: ...
    def config(
        self, file: Path, *, env_files: Sequence[Path], profiles: Sequence[str], services: Sequence[str],
        deadline: Deadline,
    ) -> Object: ...  # fmt: skip
    def up(self, file: Path, *, deadline: Deadline, log: Path, progress: Progress) -> None: ...
    def containers(self) -> list[Object]: ...
    def logs(
        self, container: str, *, tail: int | None = None, since: int | None = None, timestamps: bool = False
    ) -> bytes: ...
    def follow(self, container: str, *, tail: int | None = None, since: int | None = None) -> Lines: ...
    def exec(self, containers: Mapping[str, str]) -> PodExec: ...
    def remove(self, *, deadline: Deadline) -> None: ...


class Forwarder(Protocol):
    """Port forwarding: `open` returns the local address of each TCP port of a Service, until `close`.

    Listeners accept every connection. `check_port` returns why no pod accepts a connection, `last_error` why the last
    connection failed; both are empty if there was no failure.
    """

    def open(self, service: str, namespace: str) -> Mapping[int, Address]: ...
    def last_error(self, service: str, namespace: str) -> str: ...
    def check_port(self, service: str, namespace: str, port: int) -> str: ...
    def close(self) -> None: ...
