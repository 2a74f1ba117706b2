"""Decide which artifacts are missing and in which order to build them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from foundry.artifacts import Artifact, Catalog
from foundry.engine import Image
from foundry.state import PulledImage


@dataclass(frozen=True)
class Status:
    """Whether an artifact is ready, and its origin."""

    artifact: Artifact
    ready: bool
    origin: str = ""  # "recipe", "PATH", "release", an image reference with digest, "private registry"
    where: str = ""  # path or image id
    size: int = 0  # bytes; 0 for a tool or a folder
    stood_in_by: str = ""  # the artifact that stands in for it


def image_status(artifact: Artifact, key: str, image: Image | None, pulled: PulledImage | None, wanted: str) -> Status:
    """Return the status of an image artifact.

    An image is ready if it was built for this key, on any machine, or if it was pulled as the reference that the list
    names now and was not replaced since.
    """
    if image is None:
        return Status(artifact, ready=False)
    if key and image.key == key:
        return Status(artifact, ready=True, origin=pulled_from(image, pulled), where=image.id, size=image.size)
    if pulled and pulled.id == image.id and wanted and pulled.wanted == wanted:
        return Status(artifact, ready=True, origin=pulled.source, where=image.id, size=image.size)
    return Status(artifact, ready=False, origin="stale", where=image.id, size=image.size)


def pulled_from(image: Image, pulled: PulledImage | None) -> str:
    """Return the origin of an image with foundry's label: the registry it was pulled from, else "recipe"."""
    return pulled.source if pulled and pulled.id == image.id else "recipe"


def with_stand_ins(statuses: Mapping[str, Status]) -> dict[str, Status]:
    """Count a missing artifact as ready if its stand-in is ready."""
    found = dict(statuses)
    for name, status in statuses.items():
        stand_in = status.artifact.stand_in
        # Artifacts with the same stand-in are provided together or replaced together.
        group = [s for s in statuses.values() if s.artifact.stand_in == stand_in]
        if stand_in and not all(s.ready for s in group) and statuses[stand_in].ready:
            other = statuses[stand_in]
            found[name] = Status(
                status.artifact, ready=True, origin=f"stand-in {stand_in}", where=other.where, stood_in_by=stand_in
            )
    return found


def closure(catalog: Catalog, wanted: Iterable[str], ready: Collection[str]) -> list[str]:
    """Return the steps to build `wanted`, inputs first. Artifacts in `ready` and their inputs are not built."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name in ready:
            return
        for other in catalog[name].inputs:
            visit(other)
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def next_steps(catalog: Catalog, order: Sequence[str], done: Collection[str], busy: Collection[str]) -> list[str]:
    """Return the steps that can start now, those with the longest chain of dependents first."""
    remaining = [name for name in order if name not in done and name not in busy]
    unfinished = {name for name in order if name not in done}
    free = [name for name in remaining if not unfinished.intersection(catalog[name].inputs)]
    return sorted(free, key=lambda name: -_chain(catalog, name, order))


def blocked(catalog: Catalog, order: Sequence[str], failed: Collection[str]) -> set[str]:
    """Return the steps that cannot run because one of their inputs failed."""
    lost = set(failed)
    for name in order:  # inputs come before their dependents
        if lost.intersection(catalog[name].inputs):
            lost.add(name)
    return lost - set(failed)


def _chain(catalog: Catalog, name: str, order: Sequence[str]) -> float:
    own = max(catalog[name].seconds, 1.0)
    dependants = [other for other in order if name in catalog[other].inputs]
    return own + max((_chain(catalog, other, order) for other in dependants), default=0.0)


def values(catalog: Catalog, statuses: Mapping[str, Status]) -> dict[str, object]:
    """Return the chart values that set the images of this machine, as a tree."""
    tree: dict[str, object] = {}
    for artifact in _in_use(catalog, statuses):
        repository, _, tag = artifact.ref.rpartition(":")
        for key in artifact.values:
            _put(tree, key, {"repository": repository, "tag": tag})
        for key, value in artifact.flags.items():
            _put(tree, key, value)
    return tree


def variables(catalog: Catalog, statuses: Mapping[str, Status]) -> dict[str, str]:
    """Return the environment variables that name the images of this machine for Docker Compose."""
    return {
        name: value.format(ref=artifact.ref)
        for artifact in _in_use(catalog, statuses)
        for name, value in artifact.variables.items()
    }


def _in_use(catalog: Catalog, statuses: Mapping[str, Status]) -> Iterator[Artifact]:
    """Yield the artifacts that an installation uses: those of the setup, with stand-ins for those that it lacks."""
    stand_ins = {status.stood_in_by for status in statuses.values()}
    for artifact in catalog.artifacts.values():
        status = statuses[artifact.name]
        if status.ready and ((artifact.setup and not status.stood_in_by) or artifact.name in stand_ins):
            yield artifact


def _put(tree: dict[str, object], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        assert isinstance(below, dict)  # noqa: S101 - narrows the type
        tree = below
    tree[last] = value
