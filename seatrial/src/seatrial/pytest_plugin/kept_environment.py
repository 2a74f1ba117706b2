"""Find the kept environment of a project, and connect to its cluster."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial.adapters.compose_forwarder import ComposeForwarder
from seatrial.adapters.kube_api import KubeApi, open_connection
from seatrial.adapters.kubeconfig import Access, load_access
from seatrial.adapters.ledger import state_directory
from seatrial.model.names import LABEL_ENVIRONMENT_ID, label_value
from seatrial.model.spec import Project, RunnerSpec
from seatrial.pod.fixtures.kube_client import KubeClient

__all__ = ["KeptCompose", "KeptEnvironment", "find_kept_environment", "runner_variables"]

_KIND: Final = "SEATRIAL_ENVIRONMENT"
"""Variable that selects the kind of environment."""

_TIMEOUT: Final = 10.0
"""Seconds that a pytest session waits for a cluster that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEnvironment:
    """An environment that `seatrial up` created.

    Attributes:
        cluster: name of the cluster.
        labels: labels for objects that tests create.
        kubeconfig: kubeconfig file of the cluster.
        context: context in the file.
        own: whether seatrial wrote the file, with this cluster only.
    """

    cluster: str
    labels: Mapping[str, str]
    kubeconfig: Path
    context: str
    own: bool

    def access(self) -> Access:
        """Return how to reach the API of the cluster."""
        from seatrial.adapters.process import LocalProcesses  # noqa: PLC0415 - runs credential plugins

        return load_access(self.kubeconfig, self.context, LocalProcesses())

    def kube(self) -> KubeApi:
        """Return the API of the cluster."""
        return KubeApi(self.access())

    def api(self) -> KubeClient:
        """Return the API client of the fixtures."""
        access = self.access()
        return KubeClient(
            lambda: open_connection(access, _TIMEOUT),
            prefix=access.path,
            authorization=access.authorization,
            impersonation=access.impersonation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCompose:
    """A Compose environment that `seatrial up` created.

    Attributes:
        name: of the Compose project.
        environment: id of the environment.
    """

    name: str
    environment: str

    def container(self, service: str) -> str:
        """Return the name of the container of a service."""
        return f"{self.name}-{service}-1"

    def forwarder(self, project: Project) -> ComposeForwarder:
        """Return access to the ports of its services."""
        from seatrial.adapters.docker import DockerEngine  # noqa: PLC0415
        from seatrial.adapters.process import LocalProcesses  # noqa: PLC0415

        engine, ports = DockerEngine(LocalProcesses()), dict[str, set[int]]()
        for name, service in project.service.items():
            named = [service.port, service.ready.port if service.ready else None]
            ports.setdefault(service.name or name, set()).update(port for port in named if port)
        return ComposeForwarder(
            lambda: engine.labeled_containers(f"{LABEL_ENVIRONMENT_ID}={self.environment}"),
            relay=self.container(f"{project.runner.pod}-keeper"),
            ports=ports,
            seed=os.getpid(),
        )


def find_kept_environment(
    root: Path, project: Callable[[], Project], namespace: str = ""
) -> KeptEnvironment | KeptCompose | None:
    """Return the newest kept environment of a project; None if the project has no kept environment.

    If the project has a Compose environment and another one, the configuration says which of them is used.

    Args:
        root: directory of the project.
        project: loads the configuration, which is needed for `provider = "existing"` only.
        namespace: value of `seatrial up --namespace`; empty: the environment in the configured namespaces.
    """
    sessions = state_directory(dict(os.environ)) / "sessions"
    found, clusters = [], dict[str, Path]()
    for record in sessions.glob("*/session.json"):
        try:
            session = json.loads(record.read_bytes())
        except (OSError, ValueError):
            continue
        mine = session.get("project") == str(root) and session.get("namespace", "") == namespace
        clusters.setdefault(str(session.get("cluster")), record.parent)
        if (record.parent / "kubeconfig").is_file():
            clusters[str(session.get("cluster"))] = record.parent
        if mine and session.get("kept"):
            found.append((str(session.get("created")), session))
    if not found:
        return None
    kinds = {session.get("provider") == "compose" for _, session in found}
    wanted = project().environment == "compose" if len(kinds) > 1 or os.environ.get(_KIND) else kinds.pop()
    found = [each for each in found if (each[1].get("provider") == "compose") == wanted]
    if not found:
        return None
    _, session = max(found, key=lambda each: each[0])
    if wanted:
        return KeptCompose(name=str(session["cluster"]), environment=str(session["session"]))
    cluster, provider = str(session["cluster"]), session.get("provider")
    labels = {
        "seatrial.dev/owner": "seatrial",
        "seatrial.dev/project": str(session.get("identity") or label_value(root.name)),
        "seatrial.dev/session": str(session["session"]),
    }
    if provider == "existing":
        from seatrial.adapters.existing_cluster import ExistingCluster  # noqa: PLC0415
        from seatrial.adapters.process import LocalProcesses  # noqa: PLC0415

        spec = project().cluster
        existing = ExistingCluster(spec.context or "", kubeconfig=spec.kubeconfig, processes=LocalProcesses())
        return KeptEnvironment(
            cluster=cluster, labels=labels, kubeconfig=existing.kubeconfig, context=existing.context, own=False
        )
    return KeptEnvironment(
        cluster=cluster, labels=labels, kubeconfig=clusters[cluster] / "kubeconfig", context=f"kind-{cluster}", own=True
    )


def runner_variables(api: KubeClient, runner: RunnerSpec) -> tuple[dict[str, str], list[str]]:
    """Return the variables of the container `tests`, and a line for each variable that has no value."""
    values, missing = runner.values, []
    objects: dict[str, dict[str, Any]] = {}
    for name, (kind, obj, key) in runner.references.items():
        where = f"/api/v1/namespaces/{runner.namespace}/{kind}s/{obj}"
        if where not in objects:
            objects[where] = api.call("GET", where, missing_ok=True)
        data = objects[where].get("data") or {}
        if key not in data:
            missing.append(f"{name}: {kind} {runner.namespace}/{obj} has no {key}")
        else:
            values[name] = base64.b64decode(data[key]).decode() if kind == "secret" else str(data[key])
    return values, missing
