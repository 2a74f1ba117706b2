"""In-memory cluster, engine, registry and Helm, and a run (`World`) that uses them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

from fake_streams import FakeStreams
from seatrial.doubles import Answer, FakeClock, FakeProcesses, Recorded
from seatrial.environments.kubernetes import Kubernetes, LocalMirror
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.spec import Project, ReleaseSpec, RunnerSpec
from seatrial.ports import Change, ClusterState, Completed, EngineInfo, Lines, LocalImage, Object
from seatrial.removal.resources import Resources
from seatrial.stages.context import Ctx


class FakeWatch:
    def __init__(self, changes: list[Change]) -> None:
        self._changes = changes
        self.closed = False

    def __iter__(self) -> Iterator[Change]:
        yield from self._changes

    def close(self) -> None:
        self.closed = True


class FakeStarted:
    """A command that waits for its input until it is left."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def is_waiting(self) -> bool:
        return not self.left.is_set()

    def finish(self, stdin: bytes) -> Completed:
        raise NotImplementedError

    def close(self) -> None:
        self.left.set()


class FakeExec:
    """Answers streams with lines, and runs with what `run` is set to."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.asked: list[tuple[str, ...]] = []
        self.started: list[FakeStarted] = []
        self.fails: Exception | None = None

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        self.asked.append(tuple(argv))
        yield from self.chunks
        if self.fails:
            raise self.fails

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> FakeStarted:
        del container, timeout
        self.asked.append(tuple(argv))
        self.started.append(FakeStarted())
        return self.started[-1]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        del stdin, container, timeout
        self.asked.append(tuple(argv))
        return Completed(argv=tuple(argv), code=0, stdout=b"", stderr=b"")

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError


class FakeKube:
    """Objects by kind, namespace and name.

    Attributes:
        refuses: errors that the next `apply` calls raise, one each.
        message: what `dry_run_create` answers, used up one by one; the last one stays.
        then: later changes that watches of a kind tell, after what is there.
    """

    def __init__(self, *objects: Object) -> None:
        self.store: dict[tuple[str, str, str], Object] = {}
        self.applied: list[Object] = []
        self.deleted: list[tuple[str, str, str]] = []
        self.refuses: list[Exception] = []
        self.then: dict[str, list[Change]] = {}
        self.texts: dict[tuple[str, str, bool], bytes] = {}
        self.since: list[int | None] = []
        self.pod = FakeExec()
        self.watches: list[FakeWatch] = []
        self.broken: Exception | None = None
        self.rehearsed: list[tuple[Object, str, tuple[str, ...]]] = []
        self.message: list[str] = ["seatrial confines tests"]
        for obj in objects:
            self.put(obj)

    def put(self, obj: Object) -> None:
        """Store an object with the uid that a server would give it."""
        meta = obj["metadata"] = {"uid": f"{obj['kind']} {obj['metadata']['name']}", **obj["metadata"]}
        self.store[f"{obj['apiVersion']}/{obj['kind']}", meta.get("namespace", ""), meta["name"]] = obj

    def version(self) -> str:
        if self.broken:
            raise self.broken
        return "v1.34.4"

    def answers(self, seconds: float) -> bool:
        del seconds
        return self.broken is None

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        return self.store.get((kind, namespace, name))

    def objects(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        wanted = dict(part.split("=") for part in labels.split(",") if "=" in part)
        present = {part for part in labels.split(",") if part and "=" not in part}
        return [
            obj
            for key, obj in self.store.items()
            if key[0] == kind
            and namespace in ("", key[1])
            and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
            and present <= (obj["metadata"].get("labels") or {}).keys()
        ]

    def watch(self, kind: str, namespace: str = "") -> FakeWatch:
        here = tuple(self.objects(kind, namespace))
        watch = FakeWatch([Change(type="synced", objects=here), *self.then.get(kind, [])])
        self.watches.append(watch)
        return watch

    def streams(self) -> FakeStreams:
        return FakeStreams(at_once=True)

    def apply(self, obj: Object) -> Object:
        if self.refuses:
            raise self.refuses.pop(0)
        self.applied.append(obj)
        self.put(obj)
        return obj

    def dry_run_create(self, obj: Object, *, user: str, groups: Sequence[str]) -> str:
        self.rehearsed.append((obj, user, tuple(groups)))
        return self.message.pop(0) if len(self.message) > 1 else self.message[0]

    def create(self, obj: Object) -> bool:
        meta = obj["metadata"]
        if self.get(f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", "")) is not None:
            return False
        self.put(deepcopy(obj))
        return True

    def replace(self, obj: Object) -> bool:
        meta = obj["metadata"]
        there = self.get(f"{obj['apiVersion']}/{obj['kind']}", meta["name"], meta.get("namespace", ""))
        if there is None or there["metadata"].get("resourceVersion") != meta.get("resourceVersion"):
            return False
        self.put(deepcopy(obj))
        return True

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> bool:
        del grace
        self.deleted.append((kind, namespace, name))
        return self.store.pop((kind, namespace, name), None) is not None

    def logs(
        self,
        pod: str,
        namespace: str,
        container: str,
        *,
        tail: int | None = None,
        since: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> bytes:
        del namespace, tail, timestamps
        self.since.append(since)
        return self.texts.get((pod, container, previous), b"")

    def follow(
        self, pod: str, namespace: str, container: str, *, tail: int | None = None, since: int | None = None
    ) -> Lines:
        raise NotImplementedError

    def exec(self, pod: str, namespace: str) -> FakeExec:
        del pod, namespace
        return self.pod


class FakeCluster:
    """Attributes say what it is; `log` says what was done to it."""

    def __init__(self, kube: FakeKube) -> None:
        self.name = "it"
        self.context = "kind-it"
        self.kubeconfig = Path("/none")
        self.kube = kube
        self.there = False
        self.alive = True
        self.log: list[str] = []
        self.breaks: Exception | None = None
        self.node_names = ("it-control-plane", "it-worker")
        self.codes: dict[str, int] = {}
        self.ran: list[tuple[str, tuple[str, ...]]] = []

    def exists(self) -> bool:
        return self.there

    def identity(self) -> str:
        return "id" if self.there else ""

    def create(self, *, deadline: Deadline, log: Path, progress: Callable[[str], None]) -> None:
        del deadline, log
        progress("Preparing nodes")
        self.log.append("create")
        if self.breaks:
            raise self.breaks
        self.there = True

    def delete(self, *, deadline: Deadline) -> None:
        del deadline
        self.log.append("delete")
        self.there = False

    def state(self) -> ClusterState:
        return "gone" if not self.there else "stopped" if self.kube.broken else "running"

    def revive(self, *, deadline: Deadline) -> None:
        del deadline
        self.log.append("revive")
        if self.alive:
            self.kube.broken = None

    def connect(self) -> FakeKube:
        return self.kube

    def images(self) -> tuple[str, ...]:
        return ("node:1",)

    def names(self) -> tuple[str, ...]:
        return self.node_names

    def run(self, node: str, argv: Sequence[str], *, deadline: Deadline, check: bool = True) -> Completed:
        del deadline, check
        self.ran.append((node, tuple(argv)))
        return Completed(argv=tuple(argv), code=self.codes.get(node, 0), stdout=b"why\n", stderr=b"")


class FakeImages:
    def __init__(self, **images: str) -> None:
        self.present = {name.replace("__", ":"): digest for name, digest in images.items()}
        self.built: list[str] = []
        self.thinned: list[tuple[dict[str, str], int]] = []

    def image(self, reference: str) -> LocalImage:
        return LocalImage(
            reference=reference,
            digest=self.present[reference],
            size=1,
            labels={"dev.seatrial.stands-in-for": "real"} if "stand" in reference else {},
            workdir="/app",
            env={},
            user="",
        )

    def inspect(self, references: Sequence[str]) -> dict[str, LocalImage]:
        return {each: self.image(each) for each in references if each in self.present}

    def disk_usage(self, references: Sequence[str]) -> int:
        return 1000 * len(references)

    def prune(self, labels: Mapping[str, str], *, keep: int, exclude: str = "") -> None:
        self.thinned.append((dict(labels), keep))

    def build(self, spec: Any, reference: str, **more: Any) -> LocalImage:
        del more
        self.built.append(f"{spec.name} {dict(spec.args)}")
        self.present[reference] = f"sha256:{reference}"
        return self.image(reference)


class FakeRegistry:
    def __init__(self) -> None:
        self.has: dict[str, str] = {}
        self.pushed: list[str] = []
        self.joined = 0

    def ensure(self, *, deadline: Deadline) -> None:
        del deadline

    def name_for(self, reference: str) -> str:
        return reference

    def digest(self, reference: str) -> str | None:
        return self.has.get(reference)

    def push(self, reference: str, *, deadline: Deadline, progress: Callable[[str], None]) -> str:
        del deadline
        progress(f"pushing {reference}")
        self.pushed.append(reference)
        self.has[reference] = f"sha256:{len(self.pushed)}"
        return self.has[reference]

    def join(self) -> bool:
        self.joined += 1
        return True


class FakeCharts:
    def __init__(self, rendered: dict[str, list[Object]] | None = None) -> None:
        self.rendered = rendered or {}
        self.log: list[str] = []
        self.installs: Callable[[ReleaseSpec], None] = lambda _: None
        self.given: list[tuple[dict[str, str], dict[str, str]]] = []

    def version(self) -> str:
        return "v4.3.1"

    def end_orphans(self) -> None:
        self.log.append("end left behind")

    def prepare(self, release: ReleaseSpec, *, deadline: Deadline) -> None:
        del deadline
        self.log.append(f"prepare {release.name}")

    def render(self, release: ReleaseSpec, sets: Mapping[str, str], *, deadline: Deadline) -> list[Object]:
        del deadline
        self.log.append(f"render {release.name} {dict(sets)}")
        return self.rendered.get(release.name, [])

    def recover(self, release: ReleaseSpec, *, revision: int | None, deadline: Deadline) -> None:
        del deadline
        self.log.append(f"recover {release.name} {revision}")

    def install(
        self, release: ReleaseSpec, sets: Mapping[str, str], *, labels: Mapping[str, str], deadline: Deadline, log: Path
    ) -> None:
        del deadline, log
        self.given.append((dict(sets), dict(labels)))
        self.log.append(f"install {release.name}")
        self.installs(release)


class World:
    """Everything that a run is made of, to be looked at afterwards."""

    def __init__(self, root: Path, project: Project | None = None, **record: Any) -> None:
        self.root = root
        self.clock = FakeClock()
        self.kube = FakeKube()
        self.cluster = FakeCluster(self.kube)
        self.images = FakeImages()
        self.registry = FakeRegistry()
        self.charts = FakeCharts()
        self.processes = FakeProcesses({"kind": Answer(), "helm": Answer()})
        self.recorded = Recorded()
        self.written: list[EnvironmentRecord] = []
        self.taken: set[int] = set()
        self.engine_info = EngineInfo(version="20.10", cpus=4, memory=8 << 30)
        self.removed = 0
        self.project = project or Project(root=root, runner=RunnerSpec(image="runner:1", namespace="shop"))
        now = self.clock.now()
        given = {"project": str(root), "command": "run", "provider": "kind", "cluster": "it"}
        self.record = EnvironmentRecord(
            id=EnvironmentId("aa"), created=now, expires=now + timedelta(hours=1), **{**given, **record}
        )

    @property
    def created(self) -> tuple[Created, ...]:
        """Resources in the ledger."""
        return self.written[-1].resources if self.written else self.record.resources

    def env(self, **more: Any) -> Kubernetes:
        given: dict[str, Any] = {
            "cluster": self.cluster,
            "nodes": self.cluster,
            "images": self.images,
            "registry": self.registry,
            "mirror": LocalMirror(
                container="seatrial-registry",
                join=self.registry.join,
                mirrors=lambda references: {"docker.io": " ".join(references)},
                announcement=lambda: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
                claim_network=lambda: None,
                remove=self.remove_registry,
            ),
            "charts": self.charts,
            "processes": self.processes,
            "clock": self.clock,
            "directory": self.root / ".seatrial" / "session",
            "certs": self.root / ".seatrial" / "session" / "certs.d",
            "shared": self.root / ".seatrial" / "shared",
            "host_ports": (("127.0.0.1", 8080),),
            "port_is_free": lambda _, port: port not in self.taken,
            "port_owners": lambda: {8080: "container web"},
            "engine_info": lambda: self.engine_info,
        }
        return Kubernetes(**{**given, **more})

    def remove_registry(self) -> None:
        self.removed += 1

    def ctx(self, *, connected: bool = True, kept: bool = False, env: Kubernetes | None = None, **more: Any) -> Ctx:
        """Return a run, in an environment whose cluster an earlier command created if `kept`."""
        record = self.record
        if kept:
            record = record.with_resource(Created(kind="cluster", name="it", identity="id"))
        run_dir = self.root / ".seatrial" / "run"
        run_dir.mkdir(exist_ok=True, parents=True)
        given: dict[str, Any] = {
            "project": self.project,
            "env": env or self.env(),
            "resources": Resources(record, self.written.append),
            "run": RunId("r"),
            "run_dir": run_dir,
            "command": ("run",),
            "started": self.clock.now(),
            "emit": self.recorded,
            "deadline": Deadline.after(30),
            "keep": "never",
            "pytest_args": (),
            "out": io.StringIO(),
            "color": False,
            "at_end": ExitStack(),
        }
        ctx = Ctx(**{**given, **more})
        if connected:
            ctx.connect()
        return ctx


def refused(reason: str) -> EnvironmentFailed:
    return EnvironmentFailed("the cluster refuses", reason=reason)
