"""Joins adapters to ports: the only commands' module that knows which are real."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.existing import ExistingCluster
from seatrial.adapters.helm import HelmCharts
from seatrial.adapters.kind import KindCluster, cluster_config, host_ports
from seatrial.adapters.ledger import Ledger, state_directory
from seatrial.adapters.machine import MemoryPeak, SystemClock, port_is_free
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.reachable import registry_silence
from seatrial.adapters.registry import CONTAINER, VOLUME, LocalRegistry, RemoteRegistry
from seatrial.environments.kubernetes import Kubernetes, LocalMirror
from seatrial.model.errors import UsageError
from seatrial.model.session import Session
from seatrial.model.spec import Project
from seatrial.ports import Registry

__all__ = ["EXPIRY", "VOLUME", "Machine", "environment", "machine", "registry_silence"]

EXPIRY: Final = timedelta(hours=24)
"""How long a kept environment outlives its last use."""

_CERTS: Final = "/etc/containerd/certs.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What belongs to this machine and not to a project."""

    processes: LocalProcesses
    engine: DockerEngine
    ledger: Ledger
    clock: SystemClock

    def kind(self, session: Session) -> KindCluster:
        """Return the kind cluster of a session, for taking it down."""
        return KindCluster(
            session.cluster,
            config={},
            namespace="default",
            directory=self.ledger.directory(session.session),
            cwd=Path(session.project),
            processes=self.processes,
            engine=self.engine,
        )

    def registry(self) -> LocalRegistry:
        """Return our registry."""
        network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK") or "kind"
        image = os.environ.get("SEATRIAL_REGISTRY_IMAGE")
        mark = self.ledger.root / "shared" / "network-is-ours"
        return LocalRegistry(self.engine, image=image, network=network, mark=mark, port_is_free=port_is_free)

    def is_last(self, session: Session) -> bool:
        """Whether no other session needs what all of them share."""
        return all(each.session == session.session for each in self.ledger.sessions())

    def memory_peak(self) -> MemoryPeak:
        """Return what samples the memory in use from now on."""
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


def environment(this: Machine, project: Project, session: Session) -> Kubernetes:
    """Return the Kubernetes environment of a session.

    Raises:
        UsageError: the configuration lacks what its provider needs, or the kind configuration is none.
    """
    directory = this.ledger.directory(session.session)
    common: dict[str, Any] = {
        "images": this.engine,
        "processes": this.processes,
        "clock": this.clock,
        "directory": directory,
        "certs": directory / "certs.d",
        "shared": this.ledger.root / "shared",
        "port_is_free": port_is_free,
        "check_engine": this.engine.version,
    }
    if project.cluster.provider == "existing":
        return _existing(this, project, common)
    given = _kind_config(project)
    certs = directory / "certs.d"
    certs.mkdir(parents=True, exist_ok=True)
    cluster = KindCluster(
        session.cluster,
        config=cluster_config(
            given, image=project.cluster.image, host_ports=session.foreground, mounts={certs: _CERTS}
        ),
        namespace=project.runner.namespace,
        directory=directory,
        cwd=project.root,
        processes=this.processes,
        engine=this.engine,
    )
    registry = this.registry()
    mirror = LocalMirror(
        container=CONTAINER,
        join=registry.join,
        mirrors=registry.mirrors,
        announcement=registry.announcement,
        claim_network=registry.claim_network,
        remove=lambda: registry.remove() if this.is_last(session) else None,
    )
    return Kubernetes(
        cluster=cluster,
        nodes=cluster,
        registry=registry,
        mirror=mirror,
        charts=_helm(this, project, cluster),
        host_ports=tuple(host_ports(given or {})) if session.foreground else (),
        **common,
    )


def _existing(this: Machine, project: Project, common: Mapping[str, Any]) -> Kubernetes:
    spec = project.cluster
    if not spec.context or not spec.registry:
        missing = "context" if not spec.context else "registry"
        raise UsageError(
            f'provider = "existing" needs cluster.{missing}',
            why="no cluster and no registry is used that the configuration does not allow by name",
        )
    cluster = ExistingCluster(spec.context, kubeconfig=spec.kubeconfig, processes=this.processes)
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


def _helm(this: Machine, project: Project, cluster: KindCluster | ExistingCluster) -> HelmCharts:
    return HelmCharts(this.processes, kubeconfig=cluster.kubeconfig, context=cluster.context, cwd=project.root)


def _kind_config(project: Project) -> Mapping[str, Any] | None:
    path = project.cluster.config
    if path is None:
        return None
    import yaml  # noqa: PLC0415

    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read kind configuration {path}", why=" ".join(str(error).split())) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} is no kind configuration")
    return config
