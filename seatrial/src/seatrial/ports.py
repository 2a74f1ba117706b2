"""What the core asks of the world. Adapters implement these; `seatrial.doubles` has some for tests.

Deadlines are handed down, never invented here. Everything raises only `seatrial.model.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from seatrial.model.deadline import Deadline
from seatrial.model.event import Body
from seatrial.model.result import Stage
from seatrial.model.spec import ImageSpec, ReleaseSpec

__all__ = [
    "Address",
    "Change",
    "Charts",
    "Clock",
    "Cluster",
    "ClusterState",
    "Completed",
    "ContainerState",
    "Emit",
    "Environment",
    "Forwarder",
    "Images",
    "Kube",
    "Lines",
    "LocalImage",
    "Nodes",
    "Object",
    "PodExec",
    "Processes",
    "Progress",
    "Registry",
    "StreamBroken",
    "Warn",
    "Watch",
]

Emit = Callable[[Body], None]
Progress = Callable[[str], None]
"""Takes one line that says what a stage does now."""

Warn = Callable[[str], None]
"""Takes one line that the user should read although the run goes on."""

Object = dict[str, Any]
"""A Kubernetes object as the API's JSON says it."""


class StreamBroken(Exception):
    """A connection to a pod was cut; ask again from where it ended."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens on this machine."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended. `code` is negative for a signal, as subprocess counts."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image on the engine. `digest` is that of its configuration: the image id; `triggers`: it has ONBUILD steps."""

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
    """A container as its pod tells it; `code` and `reason` only once it is terminated or waiting.

    Attributes:
        memory_limit: as the pod's specification has it, such as `512Mi`; empty: none, or the state does not need it.
    """

    state: Literal["waiting", "running", "terminated", "gone"]
    code: int | None = None
    reason: str = ""
    message: str = ""
    memory_limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a watch saw. `synced` carries all objects there are; it comes first, and again after a gap."""

    type: Literal["synced", "added", "modified", "deleted"]
    objects: tuple[Object, ...]


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class Processes(Protocol):
    """Programs of this machine, each in a process group of its own that dies with its deadline."""

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
    def end_left_behind(self, program: str, mark: str) -> bool: ...
    def stop(self) -> None: ...
    def resume(self) -> None: ...


ClusterState = Literal["gone", "stopped", "paused", "running"]
"""Of the machines that a cluster consists of: the least that is true of one of them."""


class Cluster(Protocol):
    """One cluster by its name, and who makes it. `exists` is about the name, whoever made it."""

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
    """Node machines that we may enter: a cluster of containers on our engine. `images` are what they are made of."""

    def names(self) -> tuple[str, ...]: ...
    def images(self) -> tuple[str, ...]: ...
    def run(self, node: str, argv: Sequence[str], *, deadline: Deadline, check: bool = True) -> Completed: ...


class Images(Protocol):
    """The container engine: images that are on it, and builds.

    `weigh` says their bytes, shared layers once; `thin` removes all but `spare` and the newest with these labels.
    """

    def inspect(self, references: Sequence[str]) -> dict[str, LocalImage]: ...
    def weigh(self, references: Sequence[str]) -> int: ...
    def thin(self, labels: Mapping[str, str], *, keep: int, spare: str = "") -> None: ...
    def build(self, spec: ImageSpec, reference: str, *, labels: Mapping[str, str], deadline: Deadline, log: Path,
              progress: Progress) -> LocalImage: ...  # fmt: skip
    def push(self, reference: str, target: str, *, deadline: Deadline, progress: Progress) -> None: ...


class Registry(Protocol):
    """Where the cluster's nodes pull from. `name_for` is what a pod has to say to get a local image."""

    def ensure(self, *, deadline: Deadline) -> None: ...
    def name_for(self, reference: str) -> str: ...
    def digest(self, reference: str) -> str | None: ...
    def push(self, reference: str, *, deadline: Deadline, progress: Progress) -> str: ...


class Charts(Protocol):
    """Helm. `end_left_behind` ends what a killed command left running."""

    def version(self) -> str: ...
    def end_left_behind(self) -> None: ...
    def prepare(self, release: ReleaseSpec, *, deadline: Deadline) -> None: ...
    def render(self, release: ReleaseSpec, sets: Mapping[str, str], *, deadline: Deadline) -> list[Object]: ...
    def recover(self, release: ReleaseSpec, *, good: int | None, deadline: Deadline) -> None: ...
    def install(
        self, release: ReleaseSpec, sets: Mapping[str, str], *, labels: Mapping[str, str], deadline: Deadline, log: Path
    ) -> None: ...


class Watch(Protocol):
    """Changes of the objects of one kind, without an end, until some thread closes it."""

    def __iter__(self) -> Iterator[Change]: ...
    def close(self) -> None: ...


class Lines(Protocol):
    """What a container prints, line by line with their ends, until it ends or some thread closes it."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Started(Protocol):
    """A command in a pod that waits for its input, until `finish` gives it all of it or `close` leaves it."""

    def waits(self) -> bool: ...
    def finish(self, stdin: bytes) -> Completed: ...
    def close(self) -> None: ...


class PodExec(Protocol):
    """Commands inside one pod. `stream` yields what the command prints and raises StreamBroken on a cut connection.

    A connection counts as cut after `silence` seconds without output.

    The input of what `stream` runs has nothing in it and ends with the connection: a command can tell that nobody
    listens any more.

    `start` is the first half of `run`; `relay` passes output on to this process' own, `attach` lends the command this
    process' terminal.
    """

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float
    ) -> Completed: ...
    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> Started: ...
    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]: ...
    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int: ...
    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int: ...


class Kube(Protocol):
    """The Kubernetes API. A kind is written with its apiVersion before it: `v1/Pod`, `apps/v1/Deployment`.

    `create` and `replace` say whether they did: not if the object is there already, or is not as it was read.
    `rehearse` creates nothing: it returns why the API refuses that to a user, empty if it does not.
    """

    def version(self) -> str: ...
    def answers(self, seconds: float) -> bool: ...
    def get(self, kind: str, name: str, namespace: str = "") -> Object | None: ...
    def objects(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]: ...
    def watch(self, kind: str, namespace: str = "") -> Watch: ...
    def apply(self, obj: Object) -> Object: ...
    def rehearse(self, obj: Object, *, user: str, groups: Sequence[str]) -> str: ...
    def create(self, obj: Object) -> bool: ...
    def replace(self, obj: Object) -> bool: ...
    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool: ...
    def logs(
        self, pod: str, namespace: str, container: str, *,
        tail: int | None = None, since: int | None = None, previous: bool = False,
    ) -> bytes: ...  # fmt: skip
    def follow(
        self, pod: str, namespace: str, container: str, *, tail: int | None = None, since: int | None = None
    ) -> Lines: ...
    def exec(self, pod: str, namespace: str) -> PodExec: ...


class Forwarder(Protocol):
    """Services on this machine: `open` gives the local address of each of a Service's TCP ports, until `close`.

    Its listeners take every connection: `reach` says why no pod takes one, `problem` why the last one was not taken.
    """

    def open(self, service: str, namespace: str) -> Mapping[int, Address]: ...
    def problem(self, service: str, namespace: str) -> str: ...
    def reach(self, service: str, namespace: str, port: int) -> str: ...
    def close(self) -> None: ...


class Environment(Protocol):
    """A kind of environment, and its plan: groups that follow each other, of chains that run beside each other."""

    name: str
    plan: tuple[tuple[tuple[Stage, ...], ...], ...]
