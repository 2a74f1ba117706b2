"""Join adapters to ports: the only module of the commands that imports adapters."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.compose_project import DockerComposeProject, compose_program
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.existing_cluster import ExistingCluster
from seatrial.adapters.guarded_api import Guard
from seatrial.adapters.helm import HelmCharts
from seatrial.adapters.image_registry import LocalRegistry, RemoteRegistry
from seatrial.adapters.kind_cluster import (
    KindCluster,
    OrphanedNodes,
    cluster_config,
    host_ports,
    is_customized,
    node_image,
    orphaned_nodes,
)
from seatrial.adapters.kubeconfig import extract
from seatrial.adapters.ledger import Ledger, state_directory
from seatrial.adapters.listeners import listeners
from seatrial.adapters.machine import MemoryPeak, SystemClock, available_memory, followed_logs, free_disk, port_is_free
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.registry_check import registry_problem
from seatrial.compose.startup import compose_path
from seatrial.environments.compose import Compose
from seatrial.environments.kubernetes import Kubernetes, LocalMirror
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import UsageError
from seatrial.model.names import EnvironmentId
from seatrial.model.spec import Project
from seatrial.ports import Clock, Processes, Registry
from seatrial.removal.removers import Access, ClusterAccess

__all__ = [
    "EXPIRY",
    "Machine",
    "OrphanedNodes",
    "available_memory",
    "charts_without_cluster",
    "compose_environment",
    "compose_program",
    "configured_host_ports",
    "environment",
    "free_disk",
    "listeners",
    "machine",
    "orphaned_nodes",
    "registry_problem",
    "visitor",
]

EXPIRY: Final = timedelta(hours=24)
"""Time from the last use of a kept environment to its expiry."""

_KUBECONFIG: Final = "kubeconfig"
_VISITOR: Final = EnvironmentId("look")
"""An environment without a record, which leaves nothing in the state directory."""

_CERTS: Final = "/etc/containerd/certs.d"
_REGISTRY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The container engine, the ledger, programs and the clock of this machine."""

    processes: Processes
    engine: DockerEngine
    ledger: Ledger
    clock: Clock

    def kind(self, record: EnvironmentRecord) -> KindCluster:
        """Return the kind cluster of an environment, for removal."""
        return KindCluster(
            record.cluster,
            config={},
            namespace="default",
            directory=self.ledger.directory(record.id),
            cwd=Path(record.project),
            processes=self.processes,
            engine=self.engine,
            guard=self._guard(record) if record.host else None,
        )

    def cluster_of(self, record: EnvironmentRecord) -> KindCluster | ExistingCluster:
        """Return the cluster of an environment without its project, for removal."""
        if record.provider == "kind":
            return self.kind(record)
        return ExistingCluster(
            record.cluster,
            kubeconfig=self.ledger.directory(record.id) / _KUBECONFIG,
            processes=self.processes,
            guard=self._guard(record),
        )

    def _guard(self, record: EnvironmentRecord) -> Guard:
        """Return which objects belong to an environment, as far as its record knows."""
        releases = (each.name.partition("/")[::2] for each in record.resources if each.kind == "release")
        return Guard(project=record.project_label, environment=record.namespace, releases=frozenset(releases))

    def charts_of(self, record: EnvironmentRecord) -> HelmCharts:
        """Return Helm for the cluster of an environment, for removal."""
        cluster = self.cluster_of(record)
        return HelmCharts(self.processes, kubeconfig=cluster.kubeconfig, context=cluster.context, cwd=self.ledger.root)

    @property
    def holder(self) -> str:
        """User and machine, as the holder of a Lease."""
        return f"{os.environ.get('USER') or os.getuid()}@{platform.node()}"

    def registry(self) -> LocalRegistry:
        """Return the registry of this state directory."""
        network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK") or "kind"
        image = os.environ.get("SEATRIAL_REGISTRY_IMAGE")
        mark = self.ledger.root / "shared" / "network-is-ours"
        return LocalRegistry(
            self.engine,
            directory=self.ledger.root / "registry",
            image=image,
            network=network,
            network_marker=mark,
            port_is_free=port_is_free,
        )

    def is_last(self, record: EnvironmentRecord) -> bool:
        """Return whether no other environment needs the registry. Guest environments are removed with their host."""
        others = (each for each in self.ledger.records() if each.provider != "compose")
        return all(record.id in (each.id, each.host) for each in others)

    def access_to(self, record: EnvironmentRecord) -> Access:
        """Return access to the resources of an environment without its project, for removal."""
        if record.provider == "compose":
            return Access(record=record, compose=self.compose_of(record))
        cluster = self.cluster_of(record)
        return Access(
            record=record,
            in_cluster=ClusterAccess(
                cluster=cluster,
                connect=cache(cluster.connect),
                charts=self.charts_of(record),
                remove_registry=lambda: self.registry().remove() if self.is_last(record) else None,
            ),
        )

    def compose_of(self, record: EnvironmentRecord) -> DockerComposeProject:
        """Return the Compose project of an environment."""
        return DockerComposeProject(
            record.cluster,
            record.id,
            engine=self.engine,
            processes=self.processes,
            file=compose_path(self.ledger.directory(record.id)),
        )

    def record_of(self, stray: OrphanedNodes) -> EnvironmentRecord:
        """Return a record for the removal of containers whose environment has none."""
        now = self.clock.now()
        return EnvironmentRecord(
            id=stray.environment,
            project="",
            command="run",
            provider="kind",
            cluster=stray.name,
            created=now,
            expires=now,
        )

    def memory_peak(self) -> MemoryPeak:
        """Start to sample the memory in use, and return the sampler."""
        return MemoryPeak()


def machine() -> Machine:
    """Return this machine."""
    processes = LocalProcesses()
    return Machine(
        processes=processes,
        engine=DockerEngine(processes),
        ledger=Ledger(state_directory(dict(os.environ))),
        clock=SystemClock(),
    )


def visitor(this: Machine, project: Project) -> EnvironmentRecord | None:
    """Return a record that is not in the ledger, for reading an existing cluster."""
    spec = project.cluster
    if spec.provider != "existing" or not spec.context:
        return None
    now = this.clock.now()
    return EnvironmentRecord(
        id=_VISITOR,
        project=str(project.root),
        identity=project.identity,
        command="up",
        provider="existing",
        cluster=spec.context,
        created=now,
        expires=now,
    )


def compose_environment(this: Machine, record: EnvironmentRecord) -> Compose:
    """Return the Compose environment of a record."""
    return Compose(
        compose=this.compose_of(record),
        images=this.engine,
        processes=this.processes,
        clock=this.clock,
        directory=this.ledger.directory(record.id),
        shared=this.ledger.root / "shared",
        engine_info=this.engine.info,
        holder=this.holder,
    )


def environment(this: Machine, project: Project, record: EnvironmentRecord) -> Kubernetes:
    """Return the Kubernetes environment of a record.

    Raises:
        UsageError: a setting that the provider requires is missing, or the kind configuration is invalid.
    """
    if record.provider == "compose":
        raise UsageError(
            "this command requires Kubernetes",
            reason=f"the environment is Compose project {record.cluster}",
            hint=f"docker exec --interactive --tty {record.cluster}-{project.runner.pod}-1 sh",
        )
    directory = this.ledger.directory(record.id)
    common: dict[str, Any] = {
        "images": this.engine,
        "processes": this.processes,
        "clock": this.clock,
        "directory": directory,
        "certs": directory / "certs.d",
        "shared": this.ledger.root / "shared",
        "port_is_free": port_is_free,
        "port_owners": lambda: listeners(this.processes),
        "engine_info": this.engine.info,
        "holder": this.holder,
    }
    if project.cluster.provider == "existing":
        return _existing(this, project, record, common)
    # A kept cluster was created from it; reading it again takes 50 ms.
    given = None if record.kept else _kind_config(project)
    home = EnvironmentId(record.host or record.id)
    certs = this.ledger.directory(home) / "certs.d"
    if record.host:
        common["certs"] = certs
        source = this.ledger.directory(home) / _KUBECONFIG
        if source.exists():
            _own_kubeconfig(directory, source, f"kind-{record.cluster}", project)
    certs.mkdir(parents=True, exist_ok=True)
    cluster = KindCluster(
        record.cluster,
        config=cluster_config(given, image=project.cluster.image, host_ports=record.foreground, mounts={certs: _CERTS}),
        namespace=project.runner.namespace,
        directory=directory,
        cwd=project.root,
        processes=this.processes,
        engine=this.engine,
        guard=_guard(project, record) if record.host else None,
    )
    registry = this.registry()
    mirror = LocalMirror(
        container=registry.container,
        join=registry.join,
        mirrors=registry.mirrors,
        announcement=registry.announcement,
        claim_network=registry.claim_network,
        remove=lambda: registry.remove() if this.is_last(record) else None,
    )
    return Kubernetes(
        cluster=cluster,
        nodes=cluster,
        registry=registry,
        mirror=mirror,
        charts=_helm(this, project, cluster),
        registry_problem=None if is_customized(given or {}) else _registry_problem,
        node_image=project.cluster.image or node_image(given or {}),
        followed_logs=followed_logs(),
        host_ports=tuple(host_ports(given or {})) if record.foreground and not record.host else (),
        **common,
    )


def _registry_problem(host: str) -> str:
    return registry_problem(host, timeout=_REGISTRY_SECONDS)


def _own_kubeconfig(directory: Path, source: Path, context: str, project: Project) -> Path:
    """Return the environment's own kubeconfig: one context with the namespace of the tests."""
    target, mark = directory / _KUBECONFIG, directory / f"{_KUBECONFIG}.source"
    # Compare contents: a restored file, or one copied with its times, may be older than our copy.
    origin = json.dumps([str(source), context, project.runner.namespace]).encode() + source.read_bytes()
    digest = hashlib.sha256(origin).hexdigest()
    if target.exists() and mark.exists() and mark.read_text() == digest:
        return target
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(extract(source, context, namespace=project.runner.namespace), indent=1)
    for path, content in ((target, text), (mark, digest)):
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(content)
        fresh.replace(path)
    return target


def _guard(project: Project, record: EnvironmentRecord) -> Guard:
    """Return which objects of a shared cluster belong to an environment."""
    releases = frozenset((release.namespace, release.name) for release in project.release)
    return Guard(project=record.project_label, environment=record.namespace, releases=releases)


def _existing(this: Machine, project: Project, record: EnvironmentRecord, common: Mapping[str, Any]) -> Kubernetes:
    spec = project.cluster
    if not spec.context or not spec.registry:
        missing = "context" if not spec.context else "registry"
        raise UsageError(
            f'provider = "existing" needs cluster.{missing}',
            reason="seatrial uses only clusters and registries that the configuration names",
        )
    given = ExistingCluster(spec.context, kubeconfig=spec.kubeconfig, processes=this.processes)
    if not given.exists():
        raise UsageError(f"{given.kubeconfig} has no context {spec.context!r}", hint="kubectl config get-contexts")
    directory = this.ledger.directory(record.id)
    cluster = ExistingCluster(
        spec.context,
        kubeconfig=given.kubeconfig
        if record.id == _VISITOR
        else _own_kubeconfig(directory, given.kubeconfig, spec.context, project),
        processes=this.processes,
        guard=_guard(project, record),
    )
    registry: Registry = RemoteRegistry(this.engine, spec.registry)
    return Kubernetes(
        cluster=cluster,
        nodes=None,
        registry=registry,
        mirror=None,
        charts=_helm(this, project, cluster),
        host_ports=(),
        **common,
    )


def charts_without_cluster(this: Machine, project: Project) -> HelmCharts:
    """Return Helm for rendering only."""
    return HelmCharts(this.processes, kubeconfig=this.ledger.root / _KUBECONFIG, context="none", cwd=project.root)


def _helm(this: Machine, project: Project, cluster: KindCluster | ExistingCluster) -> HelmCharts:
    return HelmCharts(this.processes, kubeconfig=cluster.kubeconfig, context=cluster.context, cwd=project.root)


def configured_host_ports(project: Project) -> list[tuple[str, int]]:
    """Return the host addresses and ports that the project's kind configuration publishes.

    Raises:
        UsageError: the configuration cannot be read.
    """
    return host_ports(_kind_config(project) or {})


def _kind_config(project: Project) -> Mapping[str, Any] | None:
    path = project.cluster.config
    if path is None:
        return None
    import yaml  # noqa: PLC0415

    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read kind configuration {path}", reason=" ".join(str(error).split())) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} is no kind configuration")
    return config
