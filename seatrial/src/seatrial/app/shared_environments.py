"""Environments in a cluster that others use too, as their namespaces tell them: whoever made them, on whatever machine.

A ledger knows what its own machine made. Jobs of CI run on a new machine each; what they made is known by its labels.
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
from seatrial.model.errors import AccessDenied, SeatrialError, UsageError
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
from seatrial.removal.removers import Access, access_of, remove_resources

__all__ = ["Found", "expired", "found_in", "numbers", "remove", "remove_lent", "superfluous"]

_PULL_REQUEST: Final = re.compile(r"pr-?(\d+)", re.IGNORECASE)
_SECONDS: Final = 120.0
_LONGEST: Final = 11
"""Digits of a moment; with this many it is in the year 5138."""

_RIGHTS: Final = "rbac.authorization.k8s.io/v1/ClusterRoleBinding"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An environment.

    Attributes:
        name: what `--namespace` said.
        namespaces: what it consists of.
        expires: when it is removed although nobody asked.
        holder: whose run works in it; empty: nobody's.
        policies: enforced, ignored, unknown, or empty if nobody tried.
    """

    name: str
    namespaces: tuple[str, ...]
    project: str
    expires: datetime
    holder: str = ""
    policies: str = ""


def numbers(text: str) -> frozenset[int]:
    """Return the pull requests of `41,42`.

    Raises:
        UsageError: it is no such list.
    """
    parts = [part.strip().removeprefix("#") for part in text.split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdigit()]:
        raise UsageError(f"--keep-prs {wrong[0]!r} is not the number of a pull request", hint="--keep-prs 41,42")
    return frozenset(int(part) for part in parts)


def superfluous(names: Iterable[str], keep: Collection[int]) -> set[str]:
    """Return which of the environments belong to pull requests that are not to be kept. Others are none of ours."""
    matches = {name: _PULL_REQUEST.fullmatch(name) for name in names}
    return {name for name, match in matches.items() if match and int(match[1]) not in keep}


def expired(found: Iterable[Found], now: datetime) -> set[str]:
    """Return which environments have outlived their time."""
    return {each.name for each in found if each.expires <= now}


def found_in(this: Machine, project: Project, *, everybodys: bool = False) -> list[Found]:
    """Return the environments in the project's cluster, by name; none if the cluster does not answer or is not there.

    Args:
        this: the machine.
        project: says which cluster.
        everybodys: those of other projects too.
    """
    kube = _kube(this, project)
    return _found(kube, this.clock.now(), "" if everybodys else project.identity) if kube else []


def remove(this: Machine, project: Project, names: Collection[str], say: Callable[[str], None]) -> list[str]:
    """Remove environments, unless a run works in them, and return which went."""
    kube = _kube(this, project)
    removed = []
    for each in _found(kube, this.clock.now(), project.identity) if kube else ():
        if each.name not in names:
            continue
        if each.holder:
            say(f"{each.name} stays: {each.holder} works in it")
            continue
        record = environments.find(this, project, each.name)
        try:
            if record is not None:
                environments.remove(this, environments.claim(this, project, each.name))
            else:
                _remove(this, project, each)
        except SeatrialError as error:
            say(f"{each.name} stays: {error.message}")
            continue
        say(f"removed {each.name}")
        removed.append(each.name)
    return removed


def remove_lent(this: Machine, project: Project, say: Callable[[str], None]) -> list[str]:
    """Remove what is left of a project in namespaces of others, and return these.

    A lent namespace is not labelled as ours. The Lease in it tells when a run last worked there, on whatever machine.
    Cluster-wide objects are left over if the namespace of their runner was deleted.
    """
    kube = _kube(this, project)
    if kube is None:
        return []
    mine, now, removed = f"{LABEL_OWNER}={OWNER},{LABEL_PROJECT}={project.identity}", this.clock.now(), []
    for found in _listed(kube, lease.KIND, mine):
        place = found["metadata"]["namespace"]
        used = (
            found["metadata"]["name"] != lease.NAME or lease.seconds_since_renewal(found, now) < EXPIRY.total_seconds()
        )
        if used or not is_use_allowed(kube.get("v1/Namespace", place)):
            continue
        resources = [*_releases(kube, place, project.identity), Created(kind="objects", name=place)]
        _remove_resources(this, project, resources)
        removed.append(place)
    places = {found["metadata"]["labels"].get(LABEL_ISOLATED_FOR) for found in _listed(kube, _RIGHTS, mine)}
    for place in sorted(filter(None, places)):
        if kube.get("v1/Namespace", place) is None:
            _remove_resources(this, project, [Created(kind="objects", name=place)])
            removed.append(place)
    for place in removed:
        say(f"removed what was left of namespace {place}")
    return removed


def _listed(kube: Kube, kind: str, labels: str) -> list[Object]:
    """Return objects of the whole cluster, none if we may not see them."""
    try:
        return kube.objects(kind, labels=labels)
    except AccessDenied:
        return []


def _kube(this: Machine, project: Project) -> Kube | None:
    """Return the API of the cluster that the project's environments share."""
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


def _remove(this: Machine, project: Project, found: Found) -> None:
    """Remove an environment that another machine created."""
    kube = _environment(this, project).cluster.connect()
    resources = []
    for name in found.namespaces:
        namespace = kube.get("v1/Namespace", name) or {"metadata": {}}
        identity = str((namespace["metadata"].get("labels") or {}).get(LABEL_ENVIRONMENT_ID))
        resources.append(Created(kind="namespace", name=name, identity=identity))
        resources += _releases(kube, name, project.identity, identity)
    _remove_resources(this, project, resources)


def _remove_resources(this: Machine, project: Project, resources: list[Created]) -> None:
    remove_resources(resources, _access(this, project), deadline=Deadline.after(_SECONDS))


def _access(this: Machine, project: Project) -> Access:
    record = _record(this, project)
    # The environment of this machine may be older than the id of the project.
    return access_of(environment(this, project, record), replace(record, identity=project.identity))


def _releases(kube: Kube, namespace: str, project: str, identity: str = "") -> list[Created]:
    """Return the Helm releases of a project in a namespace."""
    records = kube.objects("v1/Secret", namespace, labels=f"owner=helm,{LABEL_OWNER}={OWNER},{LABEL_PROJECT}={project}")
    names = sorted({record["metadata"]["labels"]["name"] for record in records})
    return [Created(kind="release", name=f"{namespace}/{name}", identity=identity) for name in names]


def _found(kube: Kube, now: datetime, project: str) -> list[Found]:
    selector = f"{LABEL_OWNER}={OWNER},{LABEL_ENVIRONMENT}" + (f",{LABEL_PROJECT}={project}" if project else "")
    by_name: dict[tuple[str, str], list[Object]] = {}
    for namespace in kube.objects("v1/Namespace", labels=selector):
        marks = namespace["metadata"]["labels"]
        if not namespace["metadata"].get("deletionTimestamp"):
            by_name.setdefault((marks[LABEL_ENVIRONMENT], marks.get(LABEL_PROJECT, "")), []).append(namespace)
    return [_told(kube, now, name, its, members) for (name, its), members in sorted(by_name.items())]


def _told(kube: Kube, now: datetime, name: str, project: str, members: list[Object]) -> Found:
    names = tuple(sorted(each["metadata"]["name"] for each in members))
    ends = [_seconds(each["metadata"]["labels"].get(LABEL_EXPIRES, "")) for each in members]
    leases = [
        found for place in names if (found := kube.get(lease.KIND, lease.NAME, place)) and lease.is_held(found, now)
    ]
    notes = [(each["metadata"].get("annotations") or {}).get(ENFORCED, "") for each in members]
    return Found(
        name=name,
        namespaces=names,
        project=project,
        expires=datetime.fromtimestamp(max(ends), UTC),
        holder=lease.holder_of(leases[0]) if leases else "",
        policies=next((note for note in notes if note), ""),
    )


def _seconds(label: str) -> int:
    """Return the seconds since the epoch that a label says, 0 if it says none: anybody may have written it."""
    return int(label) if label.isascii() and label.isdigit() and len(label) <= _LONGEST else 0
