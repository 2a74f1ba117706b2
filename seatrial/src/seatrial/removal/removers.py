"""Remove the resources of an environment: one table of removers for all commands that remove something.

The table serves the teardown stage, also after Ctrl-C, SIGTERM and bugs, the removal of what a killed command left, and
`seatrial down` and `seatrial clean`, also for environments that another machine created. Each remover proves at removal
that a resource belongs to the environment: by the folders that a container mounts, or by the labels of an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from seatrial.environments.compose import Compose
from seatrial.environments.kubernetes import Kubernetes
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord, ResourceKind
from seatrial.model.errors import EnvironmentFailed, SeatrialError
from seatrial.model.names import LABEL_ENVIRONMENT_ID
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces.ownership import delete_namespace, delete_own_objects, is_use_allowed
from seatrial.ports import Charts, Cluster, ComposeProject, Kube, Object, Progress
from seatrial.releases.helm_records import own_releases

__all__ = ["REMOVERS", "Access", "ClusterAccess", "access_of", "remove_resources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAccess:
    """Access to the cluster of an environment.

    Attributes:
        cluster: the cluster.
        connect: returns the API of that cluster; connects at the first call.
        charts: Helm, for that cluster.
        remove_registry: removes the registry's containers unless another environment needs them.
    """

    cluster: Cluster
    connect: Callable[[], Kube]
    charts: Charts
    remove_registry: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Access to the resources of an environment.

    Attributes:
        record: the environment.
        in_cluster: access to its cluster; None: it is a Compose project.
        compose: the Compose project; None: it has a cluster.
    """

    record: EnvironmentRecord
    in_cluster: ClusterAccess | None = None
    compose: ComposeProject | None = None

    @property
    def cluster(self) -> ClusterAccess:
        """Access to the cluster of an environment that has one."""
        assert self.in_cluster is not None, f"{self.record.id} has no cluster"  # noqa: S101
        return self.in_cluster


def access_of(env: Kubernetes | Compose, record: EnvironmentRecord) -> Access:
    """Return access to the resources of the environment that a run works in."""
    if isinstance(env, Compose):
        return Access(record=record, compose=env.compose)
    return Access(
        record=record,
        in_cluster=ClusterAccess(
            cluster=env.cluster,
            connect=cache(env.cluster.connect),
            charts=env.charts,
            remove_registry=env.mirror.remove if env.mirror else lambda: None,
        ),
    )


Remover = Callable[[Created, Access, Deadline], object]


def _remove_release(resource: Created, access: Access, deadline: Deadline) -> None:
    namespace, _, name = resource.name.partition("/")
    kube = access.cluster.connect()
    if not _may_change(kube.get("v1/Namespace", namespace), resource, access):
        return
    if own_releases(kube, namespace, access.record.owner_selector, name=name):
        access.cluster.charts.recover(
            ReleaseSpec(name=name, chart="", namespace=namespace), revision=None, deadline=deadline
        )


def _may_change(namespace: Object | None, resource: Created, access: Access) -> bool:
    """Return whether a namespace belongs to the environment, or to another owner who allows its use."""
    if namespace is None:
        return False
    labels = namespace["metadata"].get("labels") or {}
    return is_use_allowed(namespace) or labels.get(LABEL_ENVIRONMENT_ID) == _environment_of(resource, access)


def _environment_of(resource: Created, access: Access) -> str:
    # Records of older versions have no identity. They list only resources of their own environment.
    return resource.identity or access.record.id


def _remove_objects(resource: Created, access: Access, _: Deadline) -> None:
    delete_own_objects(access.cluster.connect(), resource.name, access.record.owner_selector)


def _remove_namespace(resource: Created, access: Access, _: Deadline) -> None:
    delete_namespace(access.cluster.connect(), resource.name, _environment_of(resource, access))


def _remove_cluster(_: Created, access: Access, deadline: Deadline) -> None:
    access.cluster.cluster.delete(deadline=deadline)


def _remove_registry(_resource: Created, access: Access, _: Deadline) -> None:
    access.cluster.remove_registry()


def _remove_compose(_: Created, access: Access, deadline: Deadline) -> None:
    assert access.compose is not None, f"{access.record.id} has no Compose project"  # noqa: S101
    access.compose.remove(deadline=deadline)


REMOVERS: Final[Mapping[ResourceKind, Remover]] = {
    "release": _remove_release,
    "objects": _remove_objects,
    "namespace": _remove_namespace,
    "cluster": _remove_cluster,
    # Nodes of the cluster pull from it.
    "container": _remove_registry,
    "compose": _remove_compose,
}
"""What removes a resource of each kind. The order of the table is the order of removal."""


def remove_resources(
    resources: Iterable[Created], access: Access, *, deadline: Deadline, progress: Progress | None = None
) -> list[Created]:
    """Remove resources in the order of the table, the newest of a kind first. Return them in that order.

    A resource that cannot be removed does not prevent the removal of the others.

    Raises:
        EnvironmentFailed: a resource could not be removed.
    """
    order, newest_first = list(REMOVERS), list(resources)[::-1]
    ordered = sorted(newest_first, key=lambda resource: order.index(resource.kind))
    failed = []
    for resource in ordered:
        if progress is not None:
            progress(f"removing {resource}")
        try:
            REMOVERS[resource.kind](resource, access, deadline)
        except SeatrialError as error:
            failed.append(f"{resource}: {error.message}")
    if failed:
        raise EnvironmentFailed(
            f"could not remove {'a resource' if len(failed) == 1 else f'{len(failed)} resources'} of the environment",
            reason="; ".join(failed),
            hint="seatrial clean",
        )
    return ordered
