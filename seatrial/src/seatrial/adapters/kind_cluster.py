"""Clusters of containers, by kind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.guarded_api import Guard, OursOnly
from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import load_access
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime
from seatrial.model.names import EnvironmentId
from seatrial.ports import ClusterState, Completed, Processes, Progress

__all__ = ["KindCluster", "Stray", "cluster_config", "host_ports", "kind_strays", "ours"]

_LABEL: Final = "io.x-k8s.kind.cluster"
_ROLE: Final = "io.x-k8s.kind.role"
_BALANCER: Final = "external-load-balancer"
_SETTLE: Final = 2.0
"""Seconds without a new container after which the engine has made all that a dead kind asked for."""

_REFUSALS: Final = 30.0
"""Seconds for which an engine that refuses a removal is asked again."""

_LOOK: Final = 0.25
_PARALLEL_PULLS: Final = "kind: KubeletConfiguration\nserializeImagePulls: false\n"
_MIRRORS: Final = '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n'
"""Where the nodes' containerd looks for registries' hosts.toml: no default before containerd 2.2 (kind 0.31)."""


class KindCluster:
    """One kind cluster.

    Args:
        name: of the cluster.
        config: kind's configuration, as `cluster_config` makes it.
        namespace: of its context, for whoever uses kubectl.
        directory: of the environment; its kubeconfig and configuration are in it.
        cwd: relative paths of the configuration start here.
        guard: what we may do there, if other environments live there too.
    """

    def __init__(
        self,
        name: str,
        *,
        config: dict[str, Any],
        namespace: str,
        directory: Path,
        cwd: Path,
        processes: Processes,
        engine: DockerEngine,
        guard: Guard | None = None,
    ) -> None:
        self.name = name
        self.context = f"kind-{name}"
        self.kubeconfig = directory / "kubeconfig"
        self._config = config
        self._namespace = namespace
        self._directory = directory
        self._cwd = cwd
        self._processes = processes
        self._engine = engine
        self._guard = guard
        # On disk, so that the next command knows what one that was killed had begun.
        self._unfinished = directory / "kind-create-began"

    def exists(self) -> bool:
        """Say whether a cluster of this name has containers, whoever made it."""
        return bool(self.names())

    def identity(self) -> str:
        """Return what tells this cluster from another one of the same name; empty if there is none."""
        node = self._engine.container(f"{self.name}-control-plane") or {}
        return str(node.get("Id", ""))

    def create(self, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        """Make the cluster. The network check waits until it can be used.

        Raises:
            CommandFailed: kind failed; what it made so far is still there.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "kind.json"
        config.write_text(json.dumps(self._config, indent=1))
        argv = ["kind", "create", "cluster", "--name", self.name, "--config", str(config)]
        argv += ["--kubeconfig", str(self.kubeconfig), "--retain", "--verbosity", "1"]
        self._unfinished.touch()
        self._processes.run(argv, deadline=deadline, cwd=self._cwd, log=log, line=lambda line: _tell(line, progress))
        self._unfinished.unlink()
        self._as_json()

    def delete(self, *, deadline: Deadline) -> None:
        """Remove the cluster, whole or half-made: those of its containers that this environment created.

        Containers of another cluster of the same name stay, whoever made it and when.
        """
        unfinished = self._unfinished.exists()
        if unfinished:
            # A killed command leaves its kind running, and that goes on making containers.
            self._processes.end_left_behind("kind", str(self.kubeconfig))
        self._remove(deadline)
        # Nor does the engine stop making what a kind that is dead has asked for.
        until = time.monotonic() + (_SETTLE if unfinished else 0.0)
        while time.monotonic() < until:
            time.sleep(_LOOK)
            if self._remove(deadline):
                until = time.monotonic() + _SETTLE
        self._unfinished.unlink(missing_ok=True)

    def state(self) -> ClusterState:
        """Say what its nodes do."""
        states = set(self._states().values())
        if not states:
            return "gone"
        return "running" if states == {"running"} else "paused" if "paused" in states else "stopped"

    def revive(self, *, deadline: Deadline) -> None:
        """Start nodes that were stopped, by a restart of the machine, say, and go on with those that are paused."""
        states = self._states()
        if paused := [name for name, state in states.items() if state == "paused"]:
            self._engine.docker("unpause", *paused, deadline=deadline)
        if stopped := [name for name, state in states.items() if state not in ("paused", "running")]:
            self._engine.docker("start", *stopped, deadline=deadline)

    def connect(self) -> KubeApi:
        """Return its API."""
        access = load_access(self.kubeconfig, self.context, self._processes)
        return OursOnly(access, self._guard) if self._guard else KubeApi(access)

    def names(self) -> tuple[str, ...]:
        """Return the names of the node containers, stopped ones too."""
        return tuple(self._states())

    def images(self) -> tuple[str, ...]:
        """Return what the node containers are made of."""
        done = self._engine.docker("ps", "--all", "--filter", f"label={_LABEL}={self.name}", "--format", "{{.Image}}")
        return tuple(sorted(set(done.stdout.decode().split())))

    def run(self, node: str, argv: Sequence[str], *, deadline: Deadline, check: bool = True) -> Completed:
        """Run a command on a node."""
        return self._engine.docker("exec", node, *argv, deadline=deadline, check=check)

    def _remove(self, deadline: Deadline) -> bool:
        """Remove the containers that there are of ours, and say if there were any.

        An engine that still starts a container may refuse its removal, or take long to answer.
        """
        patience, removed = deadline.child(_REFUSALS), False
        while identifiers := self._ours():
            removed = True
            try:
                self._engine.remove_containers(identifiers, deadline=deadline)
            except (CommandFailed, OutOfTime):
                if patience.passed:
                    raise
                time.sleep(_LOOK)
        return removed

    def _ours(self) -> list[str]:
        """Return the ids of the containers that this environment created."""
        return ours(self._engine.labelled_containers(f"{_LABEL}={self.name}"), self._directory.name)

    def _states(self) -> dict[str, str]:
        """Return what the engine says of each node container, by name."""
        form = "{{.Names}} {{.State}}"
        done = self._engine.docker("ps", "--all", "--filter", f"label={_LABEL}={self.name}", "--format", form)
        return dict(sorted(line.split(maxsplit=1) for line in done.stdout.decode().splitlines()))

    def _as_json(self) -> None:
        """Write the kubeconfig as JSON, which is YAML too and read faster, with the namespace of the tests."""
        import yaml  # noqa: PLC0415

        config = yaml.safe_load(self.kubeconfig.read_text())
        for entry in config["contexts"]:
            entry["context"]["namespace"] = self._namespace
        self.kubeconfig.write_text(json.dumps(config, indent=1))
        self.kubeconfig.chmod(0o600)


def cluster_config(
    given: Mapping[str, Any] | None, *, image: str | None, host_ports: bool, mounts: Mapping[Path, str]
) -> dict[str, Any]:
    """Return a user's kind configuration as we use it.

    Args:
        given: theirs; None: one node.
        image: node image in place of the configured ones.
        host_ports: whether the cluster may have the host ports of the configuration.
        mounts: host directories that every node gets, read-only, and where.

    Raises:
        EnvironmentFailed: it is no kind configuration.
    """
    config = dict(given or {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"})
    nodes = config.get("nodes") or [{"role": "control-plane"}]
    if config.get("kind") != "Cluster" or not all(isinstance(node, dict) for node in nodes):
        raise EnvironmentFailed("the kind configuration is none", reason="it has no `kind: Cluster` or odd nodes")
    # Our cluster's name is that of seatrial.toml.
    config.pop("name", None)
    config["kubeadmConfigPatches"] = [*(config.get("kubeadmConfigPatches") or ()), _PARALLEL_PULLS]
    patches = config.get("containerdConfigPatches") or ()
    # containerd refuses a configuration that has both forms: registries that the user configured are left alone.
    if not any("cri" in patch and "registry" in patch for patch in patches):
        config["containerdConfigPatches"] = [_MIRRORS, *patches]
    ours = [{"hostPath": str(path), "containerPath": inside, "readOnly": True} for path, inside in mounts.items()]
    config["nodes"] = [
        {
            **{key: value for key, value in node.items() if host_ports or key != "extraPortMappings"},
            **({"image": image} if image else {}),
            **({"extraMounts": [*(node.get("extraMounts") or ()), *ours]} if ours else {}),
        }
        for node in nodes
    ]
    return config


def host_ports(config: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the host addresses and ports that a kind configuration wants."""
    return [
        (str(mapping.get("listenAddress") or "0.0.0.0"), int(mapping["hostPort"]))  # noqa: S104 - kind's default
        for node in config.get("nodes") or ()
        for mapping in node.get("extraPortMappings") or ()
        if mapping.get("hostPort")
    ]


@dataclass(frozen=True, slots=True)
class Stray:
    """Containers of a cluster whose environment has no record.

    Attributes:
        name: of the cluster.
        environment: id of the environment.
    """

    name: str
    environment: EnvironmentId


def kind_strays(engine: DockerEngine, root: Path, known: Callable[[EnvironmentId], bool]) -> list[Stray]:
    """Return node containers of environments of a ledger that have no record there.

    Args:
        engine: where they are.
        root: the state directory of the ledger.
        known: says whether the ledger has a record of an environment.
    """
    found: set[tuple[str, EnvironmentId]] = set()
    for container in engine.labelled_containers(_LABEL):
        name = _labels(container)[_LABEL]
        for source in _sources(container):
            head, _, environment = source.removesuffix("/certs.d").rpartition("/sessions/")
            if source.endswith("/certs.d") and head.endswith(str(root)) and not known(EnvironmentId(environment)):
                found.add((name, EnvironmentId(environment)))
    return [Stray(name, environment) for name, environment in sorted(found)]


def ours(containers: Sequence[Mapping[str, Any]], environment: str) -> list[str]:
    """Return the ids of the containers that an environment created: they mount a folder of its directory. Pure.

    kind cannot label containers. Its load balancer mounts nothing; it goes with the last of the nodes.
    """
    balancers = [each for each in containers if _labels(each).get(_ROLE) == _BALANCER]
    nodes = [each for each in containers if each not in balancers]
    mine = [each for each in nodes if any(f"/sessions/{environment}/" in source for source in _sources(each))]
    return [str(each["Id"]) for each in (*mine, *(balancers if len(mine) == len(nodes) else ()))]


def _sources(container: Mapping[str, Any]) -> list[str]:
    return [str(mount.get("Source") or "") for mount in container.get("Mounts") or ()]


def _labels(container: Mapping[str, Any]) -> dict[str, str]:
    return (container.get("Config") or {}).get("Labels") or {}


def _tell(line: str, progress: Progress) -> None:
    """Tell kind's steps, which it marks ` • …` without a terminal."""
    if line.startswith(" • "):
        progress(line.removeprefix(" • ").split("  ")[0].strip(" .…"))
