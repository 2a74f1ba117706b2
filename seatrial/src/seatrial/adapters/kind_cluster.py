"""Create and delete kind clusters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.guarded_api import Guard, GuardedApi
from seatrial.adapters.kube_api import KubeApi
from seatrial.adapters.kubeconfig import load_access
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime
from seatrial.model.names import EnvironmentId
from seatrial.ports import ClusterState, Completed, Processes, Progress

__all__ = [
    "KindCluster",
    "OrphanedNodes",
    "cluster_config",
    "host_ports",
    "is_customized",
    "node_ids",
    "node_image",
    "orphaned_nodes",
]

_LABEL: Final = "io.x-k8s.kind.cluster"
_ROLE: Final = "io.x-k8s.kind.role"
_BALANCER: Final = "external-load-balancer"
_SETTLE: Final = 15.0
"""Seconds without a new container after which the engine has finished the requests of a killed kind process.

The engine copies /var of the node image into a volume before it lists a container, which takes seconds on a busy disk.
"""

_NODES_STEP: Final = "Preparing nodes"
"""Step in which kind requests the containers from the engine."""

_NODES_REQUESTED: Final = "nodes requested"

_REMOVAL_RETRIES: Final = 30.0
"""Seconds for which a removal that the engine refuses is retried."""

_INTERVAL: Final = 0.25
"""Seconds between two removals."""
_PARALLEL_PULLS: Final = "kind: KubeletConfiguration\nserializeImagePulls: false\n"
_PROXY_MODES: Final = ("iptables", "nftables", "ipvs")
_PROXY: Final = "kind: KubeProxyConfiguration\n{mode}:\n  minSyncPeriod: 100ms\n"
"""By default, kube-proxy waits 1 s between two changes of routes. It refuses connections to a new service until then.

https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
"""

_MIRRORS: Final = '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n'
"""Directory of hosts.toml files for the nodes' containerd. It has no default before containerd 2.2 (kind 0.31)."""


class KindCluster:
    """One kind cluster.

    Args:
        name: of the cluster.
        config: kind configuration, as `cluster_config` returns it.
        namespace: default namespace of the kubeconfig context.
        directory: of the environment; its kubeconfig and configuration are in it.
        cwd: base of relative paths in the configuration.
        processes: runs kind.
        engine: runs the node containers.
        guard: the objects that may be changed; None: all.
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
        # A file, so that the next command knows that a killed one had started to create the cluster.
        self._unfinished = directory / "kind-create-began"

    def exists(self) -> bool:
        """Return whether a cluster of this name has containers, whoever created it."""
        return bool(self.names())

    def identity(self) -> str:
        """Return the id of the control-plane container; empty if the cluster does not exist."""
        node = self._engine.container(f"{self.name}-control-plane") or {}
        return str(node.get("Id", ""))

    def create(self, *, deadline: Deadline, log: Path, progress: Progress) -> None:
        """Create the cluster. The network check waits until it is ready.

        Raises:
            CommandFailed: kind failed; the containers that it created still exist.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "kind.json"
        config.write_text(json.dumps(self._config, indent=1))
        argv = ["kind", "create", "cluster", "--name", self.name, "--config", str(config)]
        argv += ["--kubeconfig", str(self.kubeconfig), "--retain", "--verbosity", "1"]
        self._unfinished.touch()

        def report(line: str) -> None:
            if (step := _step(line)).startswith(_NODES_STEP):
                self._unfinished.write_text(_NODES_REQUESTED)
            if step:
                progress(step)

        try:
            self._processes.run(argv, deadline=deadline, cwd=self._cwd, log=log, line=report)
        except CommandFailed as error:
            if error.code > 0:
                # kind exits by itself only after the engine has answered all requests.
                self._unfinished.unlink()
            raise
        self._unfinished.unlink()
        self._rewrite_kubeconfig()

    def delete(self, *, deadline: Deadline) -> None:
        """Delete the cluster's containers that this environment created, even if the cluster is incomplete.

        Containers of another cluster of the same name are kept.
        """
        requested = self._are_nodes_requested()
        removed = self._remove(deadline)
        # The engine finishes what a terminated kind process requested.
        until = time.monotonic() + _SETTLE
        while requested and len(removed) < self._node_count() and time.monotonic() < until:
            time.sleep(_INTERVAL)
            if late := self._remove(deadline):
                removed |= late
                until = time.monotonic() + _SETTLE
        self._unfinished.unlink(missing_ok=True)

    def state(self) -> ClusterState:
        """Return the state of the node containers."""
        states = set(self._states().values())
        if not states:
            return "gone"
        return "running" if states == {"running"} else "paused" if "paused" in states else "stopped"

    def revive(self, *, deadline: Deadline) -> None:
        """Start stopped nodes, for example after a restart of the machine, and unpause paused ones."""
        states = self._states()
        if paused := [name for name, state in states.items() if state == "paused"]:
            self._engine.docker("unpause", *paused, deadline=deadline)
        if stopped := [name for name, state in states.items() if state not in ("paused", "running")]:
            self._engine.docker("start", *stopped, deadline=deadline)

    def connect(self) -> KubeApi:
        """Return the API of the cluster."""
        access = load_access(self.kubeconfig, self.context, self._processes)
        return GuardedApi(access, self._guard) if self._guard else KubeApi(access)

    def names(self) -> tuple[str, ...]:
        """Return the names of the node containers, running or not."""
        return tuple(self._states())

    def images(self) -> tuple[str, ...]:
        """Return the images of the node containers."""
        done = self._engine.docker("ps", "--all", "--filter", f"label={_LABEL}={self.name}", "--format", "{{.Image}}")
        return tuple(sorted(set(done.stdout.decode().split())))

    def run(self, node: str, argv: Sequence[str], *, deadline: Deadline, check: bool = True) -> Completed:
        """Run a command on a node."""
        return self._engine.docker("exec", node, *argv, deadline=deadline, check=check)

    def _are_nodes_requested(self) -> bool:
        """End the kind process of a killed command; return whether the engine may still create containers for it."""
        if not self._unfinished.exists():
            return False
        # Such a process continues to create containers.
        if self._processes.end_orphans("kind", str(self.kubeconfig)):
            return True
        age = time.time() - self._unfinished.stat().st_mtime
        return age < _SETTLE and self._unfinished.read_text() == _NODES_REQUESTED

    def _node_count(self) -> int:
        """Return how many containers kind creates for the configuration that it was given."""
        config: dict[str, list[dict[str, object]]] = json.loads((self._directory / "kind.json").read_text())
        control_planes = [node for node in config["nodes"] if node.get("role", "control-plane") == "control-plane"]
        return len(config["nodes"]) + (len(control_planes) > 1)

    def _remove(self, deadline: Deadline) -> set[str]:
        """Delete the containers of this environment; return their ids.

        While the engine starts a container, it may refuse to delete it or time out.
        """
        retries, removed = deadline.child(_REMOVAL_RETRIES), set[str]()
        while identifiers := self._node_ids():
            removed.update(identifiers)
            try:
                self._engine.remove_containers(identifiers, deadline=deadline)
            except (CommandFailed, OutOfTime):
                if retries.passed:
                    raise
                time.sleep(_INTERVAL)
        return removed

    def _node_ids(self) -> list[str]:
        """Return the ids of the containers that this environment created."""
        return node_ids(self._engine.labeled_containers(f"{_LABEL}={self.name}"), self._directory.name)

    def _states(self) -> dict[str, str]:
        """Return the state of each node container, by name."""
        form = "{{.Names}} {{.State}}"
        done = self._engine.docker("ps", "--all", "--filter", f"label={_LABEL}={self.name}", "--format", form)
        return dict(sorted(line.split(maxsplit=1) for line in done.stdout.decode().splitlines()))

    def _rewrite_kubeconfig(self) -> None:
        """Write the kubeconfig as JSON, which is parsed faster than YAML, with the namespace of the tests."""
        import yaml  # noqa: PLC0415

        config = yaml.safe_load(self.kubeconfig.read_text())
        for entry in config["contexts"]:
            entry["context"]["namespace"] = self._namespace
        self.kubeconfig.write_text(json.dumps(config, indent=1))
        self.kubeconfig.chmod(0o600)


def cluster_config(
    given: Mapping[str, Any] | None, *, image: str | None, host_ports: bool, mounts: Mapping[Path, str]
) -> dict[str, Any]:
    """Return the user's kind configuration with the settings that seatrial needs.

    Args:
        given: the user's configuration; None: one node.
        image: node image that replaces the configured ones; None: keep them.
        host_ports: whether to keep the host ports of the configuration.
        mounts: host directory to path in every node; mounted read-only.

    Raises:
        EnvironmentFailed: it is not a kind configuration.
    """
    config = dict(given or {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"})
    nodes = config.get("nodes") or [{"role": "control-plane"}]
    if config.get("kind") != "Cluster" or not all(isinstance(node, dict) for node in nodes):
        raise EnvironmentFailed(
            "the kind configuration is not valid",
            reason="it has no `kind: Cluster`, or a node is not a mapping",
            hint="https://kind.sigs.k8s.io/docs/user/configuration/",
        )
    # The name comes from seatrial.toml.
    config.pop("name", None)
    mode = (config.get("networking") or {}).get("kubeProxyMode", "iptables")
    # Before the patches of the user, which replace it.
    proxy = [_PROXY.format(mode=mode)] if mode in _PROXY_MODES else []
    config["kubeadmConfigPatches"] = [*proxy, *(config.get("kubeadmConfigPatches") or ()), _PARALLEL_PULLS]
    patches = config.get("containerdConfigPatches") or ()
    # containerd refuses a configuration with both forms, so registries of the user are kept as they are.
    if not any("cri" in patch and "registry" in patch for patch in patches):
        config["containerdConfigPatches"] = [_MIRRORS, *patches]
    extra_mounts = [
        {"hostPath": str(path), "containerPath": inside, "readOnly": True} for path, inside in mounts.items()
    ]
    config["nodes"] = [
        {
            **{key: value for key, value in node.items() if host_ports or key != "extraPortMappings"},
            **({"image": image} if image else {}),
            **({"extraMounts": [*(node.get("extraMounts") or ()), *extra_mounts]} if extra_mounts else {}),
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


def node_image(config: Mapping[str, Any]) -> str:
    """Return the image of the first node in a kind configuration that names one; empty if none does."""
    return next((str(node["image"]) for node in config.get("nodes") or () if node.get("image")), "")


def is_customized(config: Mapping[str, Any]) -> bool:
    """Return whether a kind configuration may give nodes mirrors of registries: containerd patches or mounts."""
    nodes = [node for node in config.get("nodes") or () if isinstance(node, dict)]
    patches = [key for key in config if str(key).startswith("containerdConfigPatches")]
    return bool(patches) or any(node.get("extraMounts") for node in nodes)


@dataclass(frozen=True, slots=True)
class OrphanedNodes:
    """Containers of a cluster whose environment has no record.

    Attributes:
        name: of the cluster.
        environment: id of the environment.
    """

    name: str
    environment: EnvironmentId


def orphaned_nodes(engine: DockerEngine, root: Path, known: Callable[[EnvironmentId], bool]) -> list[OrphanedNodes]:
    """Return node containers of environments of a ledger that have no record there.

    Args:
        engine: runs the containers.
        root: state directory of the ledger.
        known: whether the ledger has a record of an environment.
    """
    found: set[tuple[str, EnvironmentId]] = set()
    for container in engine.labeled_containers(_LABEL):
        name = _labels(container)[_LABEL]
        for source in _sources(container):
            head, _, environment = source.removesuffix("/certs.d").rpartition("/sessions/")
            if source.endswith("/certs.d") and head.endswith(str(root)) and not known(EnvironmentId(environment)):
                found.add((name, EnvironmentId(environment)))
    return [OrphanedNodes(name, environment) for name, environment in sorted(found)]


def node_ids(containers: Sequence[Mapping[str, Any]], environment: str) -> list[str]:
    """Return the ids of the containers that an environment created: they mount a folder of its directory. Pure.

    kind cannot label containers. Its load balancer has no mounts: it belongs to the environment that owns all nodes.
    """
    balancers = [each for each in containers if _labels(each).get(_ROLE) == _BALANCER]
    nodes = [each for each in containers if each not in balancers]
    owned = [each for each in nodes if any(f"/sessions/{environment}/" in source for source in _sources(each))]
    return [str(each["Id"]) for each in (*owned, *(balancers if len(owned) == len(nodes) else ()))]


def _sources(container: Mapping[str, Any]) -> list[str]:
    return [str(mount.get("Source") or "") for mount in container.get("Mounts") or ()]


def _labels(container: Mapping[str, Any]) -> dict[str, str]:
    return (container.get("Config") or {}).get("Labels") or {}


def _step(line: str) -> str:
    """Return the step that a line of kind names; empty if it names none. Without a terminal a line is ` • …`."""
    return line.removeprefix(" • ").split("  ")[0].strip(" .…") if line.startswith(" • ") else ""
