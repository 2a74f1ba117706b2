"""Find and remove environments in a shared cluster by the labels of their namespaces.

The ledger has only environments of its own machine. A CI job may run on a new machine each time; labels identify its
environments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from seatrial.app import environments
from seatrial.app.wiring import EXPIRY, Machine, environment, visitor
from seatrial.environments.kubernetes import Kubernetes
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.errors import AccessDenied, SeatrialError
from seatrial.model.names import (
    LABEL_ENVIRONMENT,
    LABEL_ENVIRONMENT_ID,
    LABEL_EXPIRES,
    LABEL_ISOLATED_FOR,
    LABEL_OWNER,
    LABEL_PROJECT,
    OWNER,
)
from seatrial.model.spec import Project
from seatrial.namespaces import lease
from seatrial.namespaces.guardrails import ENFORCED
from seatrial.namespaces.ownership import (
    is_use_allowed,
)
from seatrial.ports import Kube, Object
from seatrial.releases.helm_records import own_releases
from seatrial.removal.removers import Access, access_of, remove_resources

__all__ = [
    "SharedEnvironment",
    "expired",
    "list_environments",
    "remove",
    "remove_from_foreign_namespaces",
    "superfluous",
]

_PULL_REQUEST: Final = re.compile(r"pr-?(\d+)", re.IGNORECASE)
_SECONDS: Final = 120.0
_LONGEST_TIMESTAMP: Final = 11
"""Digits. A timestamp with 11 digits is in the year 5138."""

_CLUSTER_ROLE_BINDING: Final = "rbac.authorization.k8s.io/v1/ClusterRoleBinding"


class SharedEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment in a shared cluster.

    Attributes:
        name: the value of `--namespace`.
        namespaces: its namespaces.
        project: id of its project.
        expires: when any command may remove it.
        holder: user, machine and run that use it; empty: it is not in use.
        policies: whether its network policies are enforced, ignored or unknown; empty if they were not verified.
    """

    name: str
    namespaces: tuple[str, ...]
    project: str
    expires: datetime
    holder: str = ""
    policies: str = ""


def superfluous(names: Iterable[str], keep: Collection[int]) -> set[str]:
    """Return the environments of pull requests that are not in `keep`; other environments are not returned."""
    matches = {name: _PULL_REQUEST.fullmatch(name) for name in names}
    return {name for name, match in matches.items() if match and int(match[1]) not in keep}


def expired(found: Iterable[SharedEnvironment], now: datetime) -> set[str]:
    """Return the names of the environments that have expired."""
    return {each.name for each in found if each.expires <= now}


def list_environments(this: Machine, project: Project, *, all_projects: bool = False) -> list[SharedEnvironment]:
    """Return the environments in the project's cluster, by name; none if the cluster does not answer or does not exist.

    Args:
        this: the machine.
        project: the project.
        all_projects: also environments of other projects.
    """
    kube = _kube(this, project)
    return _list(kube, this.clock.now(), "" if all_projects else project.identity) if kube else []


def remove(this: Machine, project: Project, names: Collection[str], say: Callable[[str], None]) -> list[str]:
    """Remove the named environments that are not in use, and return the names of those that were removed."""
    kube = _kube(this, project)
    removed = []
    for each in _list(kube, this.clock.now(), project.identity) if kube else ():
        if each.name not in names:
            continue
        if each.holder:
            say(f"{each.name} was not removed: it is in use by {each.holder}")
            continue
        record = environments.find(this, project, each.name)
        try:
            if record is not None:
                environments.remove(this, environments.claim(this, project, each.name))
            else:
                _remove(this, project, each)
        except SeatrialError as error:
            say(f"{each.name} was not removed: {error.message}")
            continue
        say(f"removed {each.name}")
        removed.append(each.name)
    return removed


def remove_from_foreign_namespaces(this: Machine, project: Project, say: Callable[[str], None]) -> list[str]:
    """Remove a project's objects from namespaces of other owners, and return the names of these namespaces.

    Such a namespace has no labels of an environment. The Lease in it says when a run last used it, on whatever machine.
    Cluster-wide objects are left over if the namespace of their runner was deleted.
    """
    kube = _kube(this, project)
    if kube is None:
        return []
    mine, now, removed = _owner_selector(project), this.clock.now(), []
    for found in _listed(kube, lease.KIND, mine):
        place = found["metadata"]["namespace"]
        used = (
            found["metadata"]["name"] != lease.NAME or lease.seconds_since_renewal(found, now) < EXPIRY.total_seconds()
        )
        if used or not is_use_allowed(kube.get("v1/Namespace", place)):
            continue
        resources = [*_releases(kube, place, mine), Created(kind="objects", name=place)]
        _remove_resources(this, project, resources)
        removed.append(place)
    places = {
        found["metadata"]["labels"].get(LABEL_ISOLATED_FOR) for found in _listed(kube, _CLUSTER_ROLE_BINDING, mine)
    }
    for place in sorted(filter(None, places)):
        if kube.get("v1/Namespace", place) is None:
            _remove_resources(this, project, [Created(kind="objects", name=place)])
            removed.append(place)
    for place in removed:
        say(f"removed the objects of this project from namespace {place}")
    return removed


def _listed(kube: Kube, kind: str, labels: str) -> list[Object]:
    """Return objects of all namespaces; none if the user may not list them."""
    try:
        return kube.objects(kind, labels=labels)
    except AccessDenied:
        return []


def _kube(this: Machine, project: Project) -> Kube | None:
    """Return the API of the project's cluster; None if there is no cluster or it does not answer."""
    if project.environment == "compose":
        return None
    if environments.find(this, project) is None and visitor(this, project) is None:
        return None
    kube = _environment(this, project).cluster.connect()
    return kube if kube.answers(5.0) else None


def _environment(this: Machine, project: Project) -> Kubernetes:
    return environment(this, project, _record(this, project))


def _record(this: Machine, project: Project) -> EnvironmentRecord:
    record = environments.find(this, project) or visitor(this, project)
    assert record is not None, "_kube found it"  # noqa: S101
    return record


def _remove(this: Machine, project: Project, found: SharedEnvironment) -> None:
    """Remove an environment that another machine created."""
    kube = _environment(this, project).cluster.connect()
    resources = []
    for name in found.namespaces:
        namespace = kube.get("v1/Namespace", name) or {"metadata": {}}
        identity = str((namespace["metadata"].get("labels") or {}).get(LABEL_ENVIRONMENT_ID))
        resources.append(Created(kind="namespace", name=name, identity=identity))
        resources += _releases(kube, name, _owner_selector(project), identity)
    _remove_resources(this, project, resources)


def _remove_resources(this: Machine, project: Project, resources: list[Created]) -> None:
    remove_resources(resources, _access(this, project), deadline=Deadline.after(_SECONDS))


def _access(this: Machine, project: Project) -> Access:
    record = _record(this, project)
    # The environment of this machine may be older than the id of the project.
    return access_of(environment(this, project, record), replace(record, identity=project.identity))


def _releases(kube: Kube, namespace: str, owner_selector: str, identity: str = "") -> list[Created]:
    """Return the Helm releases of a project in a namespace."""
    names = own_releases(kube, namespace, owner_selector)
    return [Created(kind="release", name=f"{namespace}/{name}", identity=identity) for name in names]


def _owner_selector(project: Project) -> str:
    return f"{LABEL_OWNER}={OWNER},{LABEL_PROJECT}={project.identity}"


def _list(kube: Kube, now: datetime, project: str) -> list[SharedEnvironment]:
    selector = f"{LABEL_OWNER}={OWNER},{LABEL_ENVIRONMENT}" + (f",{LABEL_PROJECT}={project}" if project else "")
    by_name: dict[tuple[str, str], list[Object]] = {}
    for namespace in kube.objects("v1/Namespace", labels=selector):
        labels = namespace["metadata"]["labels"]
        if not namespace["metadata"].get("deletionTimestamp"):
            by_name.setdefault((labels[LABEL_ENVIRONMENT], labels.get(LABEL_PROJECT, "")), []).append(namespace)
    return [_of_namespaces(kube, now, name, of, members) for (name, of), members in sorted(by_name.items())]


def _of_namespaces(kube: Kube, now: datetime, name: str, project: str, members: list[Object]) -> SharedEnvironment:
    names = tuple(sorted(each["metadata"]["name"] for each in members))
    ends = [_seconds(each["metadata"]["labels"].get(LABEL_EXPIRES, "")) for each in members]
    leases = [
        found for place in names if (found := kube.get(lease.KIND, lease.NAME, place)) and lease.is_held(found, now)
    ]
    notes = [(each["metadata"].get("annotations") or {}).get(ENFORCED, "") for each in members]
    return SharedEnvironment(
        name=name,
        namespaces=names,
        project=project,
        expires=datetime.fromtimestamp(max(ends), UTC),
        holder=lease.holder_of(leases[0]) if leases else "",
        policies=next((note for note in notes if note), ""),
    )


def _seconds(label: str) -> int:
    """Return the seconds since the epoch of a label; 0 if it is not a timestamp, as any user may have written it."""
    return int(label) if label.isascii() and label.isdigit() and len(label) <= _LONGEST_TIMESTAMP else 0
