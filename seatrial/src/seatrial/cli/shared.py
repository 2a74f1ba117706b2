"""Environments in a cluster that others use too, as their namespaces tell them: whoever made them, on whatever machine.

A ledger knows what its own machine made. Jobs of CI run on a new machine each; what they made is known by its labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from seatrial.cli import sessions
from seatrial.cli.wiring import Machine, environment, visitor
from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.model.names import (
    LABEL_ENVIRONMENT,
    LABEL_EXPIRES,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_SESSION,
    OWNER,
)
from seatrial.model.spec import Project, ReleaseSpec
from seatrial.ports import Kube, Object
from seatrial.stages import lease, namespaces
from seatrial.stages.neighbours import ENFORCED

__all__ = ["Found", "expired", "found_in", "numbers", "remove", "superfluous"]

_LEASE: Final = "coordination.k8s.io/v1/Lease"
_PULL_REQUEST: Final = re.compile(r"pr-?(\d+)", re.IGNORECASE)
_SECONDS: Final = 120.0


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
        raise UsageError(f"--keep-prs {wrong[0]!r} is not the number of a pull request", try_="--keep-prs 41,42")
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
        session = sessions.find(this, project, each.name)
        try:
            if session is not None:
                sessions.remove(this, sessions.claim_kept(this, project, each.name))
            else:
                _remove(this, project, each)
        except SeatrialError as error:
            say(f"{each.name} stays: {error.what}")
            continue
        say(f"removed {each.name}")
        removed.append(each.name)
    return removed


def _kube(this: Machine, project: Project) -> Kube | None:
    """Return the API of the cluster that the project's environments share."""
    session = sessions.find(this, project) or visitor(this, project)
    if session is None:
        return None
    kube = environment(this, project, session).cluster.connect()
    return kube if kube.answers(5.0) else None


def _remove(this: Machine, project: Project, found: Found) -> None:
    """Remove an environment that another machine made."""
    session = sessions.find(this, project) or visitor(this, project)
    assert session is not None, "it was found there"  # noqa: S101
    env = environment(this, project, session)
    kube, deadline = env.cluster.connect(), Deadline.after(_SECONDS)
    for namespace in found.namespaces:
        for name in _releases(kube, namespace):
            env.charts.recover(ReleaseSpec(name=name, chart="", namespace=namespace), good=None, deadline=deadline)
        there = kube.get("v1/Namespace", namespace) or {"metadata": {}}
        namespaces.remove(kube, namespace, str((there["metadata"].get("labels") or {}).get(LABEL_SESSION)))


def _releases(kube: Kube, namespace: str) -> list[str]:
    """Return the Helm releases of ours in a namespace."""
    records = kube.objects("v1/Secret", namespace, labels=f"owner=helm,{LABEL_OWNER}={OWNER}")
    return sorted({record["metadata"]["labels"]["name"] for record in records})


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
    ends = [int(each["metadata"]["labels"].get(LABEL_EXPIRES) or 0) for each in members]
    leases = [found for place in names if (found := kube.get(_LEASE, lease.NAME, place)) and lease.lives(found, now)]
    notes = [(each["metadata"].get("annotations") or {}).get(ENFORCED, "") for each in members]
    return Found(
        name=name,
        namespaces=names,
        project=project,
        expires=datetime.fromtimestamp(max(ends), UTC),
        holder=lease.holder_of(leases[0]) if leases else "",
        policies=next((note for note in notes if note), ""),
    )
