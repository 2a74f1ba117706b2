"""Decide, from what is there, what is missing and in which order it is made. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from foundry.artefacts import Artefact, Catalogue
from foundry.engine import Image
from foundry.state import PulledImage


@dataclass(frozen=True)
class Status:
    """Whether an artefact is there, and where it came from."""

    artefact: Artefact
    ready: bool
    origin: str = ""  # "recipe", "PATH", "release", an image reference with digest, "private registry"
    where: str = ""  # path or image id
    size: int = 0  # bytes; 0 when it says nothing (a tool, a folder)
    stood_in_by: str = ""  # the artefact in its place


def image_status(artefact: Artefact, key: str, image: Image | None, pulled: PulledImage | None, wanted: str) -> Status:
    """The state of an image artefact.

    Ready is: built for this key (by whatever machine), or pulled as what the list asks for now and not replaced since.
    """
    if image is None:
        return Status(artefact, ready=False)
    if key and image.key == key:
        return Status(artefact, ready=True, origin=pulled_from(image, pulled), where=image.id, size=image.size)
    if pulled and pulled.id == image.id and wanted and pulled.wanted == wanted:
        return Status(artefact, ready=True, origin=pulled.source, where=image.id, size=image.size)
    return Status(artefact, ready=False, origin="stale", where=image.id, size=image.size)


def pulled_from(image: Image, pulled: PulledImage | None) -> str:
    """Where an image with foundry's label came from: built here, unless it was pulled and is still that one."""
    return pulled.source if pulled and pulled.id == image.id else "recipe"


def with_stand_ins(statuses: Mapping[str, Status]) -> dict[str, Status]:
    """Statuses in which a missing artefact whose stand-in is there counts as ready."""
    found = dict(statuses)
    for name, status in statuses.items():
        stand_in = status.artefact.stand_in
        # Artefacts with one stand-in are had together or replaced together.
        group = [s for s in statuses.values() if s.artefact.stand_in == stand_in]
        if stand_in and not all(s.ready for s in group) and statuses[stand_in].ready:
            other = statuses[stand_in]
            found[name] = Status(
                status.artefact, ready=True, origin=f"stand-in {stand_in}", where=other.where, stood_in_by=stand_in
            )
    return found


def closure(catalogue: Catalogue, wanted: Iterable[str], ready: Collection[str]) -> list[str]:
    """What has to be made for `wanted`, inputs before what needs them; what is `ready` is not made, nor its inputs."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name in ready:
            return
        for other in catalogue[name].inputs:
            visit(other)
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def next_steps(catalogue: Catalogue, order: Sequence[str], done: Collection[str], busy: Collection[str]) -> list[str]:
    """Which of the remaining steps can start now, those first whose chain of dependants takes longest."""
    remaining = [name for name in order if name not in done and name not in busy]
    unfinished = {name for name in order if name not in done}
    free = [name for name in remaining if not unfinished.intersection(catalogue[name].inputs)]
    return sorted(free, key=lambda name: -_chain(catalogue, name, order))


def doomed(catalogue: Catalogue, order: Sequence[str], failed: Collection[str]) -> set[str]:
    """The steps that cannot be done because something they need has failed."""
    lost = set(failed)
    for name in order:  # inputs come before what needs them
        if lost.intersection(catalogue[name].inputs):
            lost.add(name)
    return lost - set(failed)


def _chain(catalogue: Catalogue, name: str, order: Sequence[str]) -> float:
    own = max(catalogue[name].seconds, 1.0)
    dependants = [other for other in order if name in catalogue[other].inputs]
    return own + max((_chain(catalogue, other, order) for other in dependants), default=0.0)


def values(catalogue: Catalogue, statuses: Mapping[str, Status]) -> dict[str, object]:
    """The chart values that name the images of this machine, as a tree."""
    tree: dict[str, object] = {}
    for artefact in catalogue.artefacts.values():
        status = statuses[artefact.name]
        stands_in = any(s.stood_in_by == artefact.name for s in statuses.values())
        wanted = (artefact.setup and not status.stood_in_by) or stands_in
        if not status.ready or not wanted:
            continue
        repository, _, tag = artefact.ref.rpartition(":")
        for key in artefact.values:
            _put(tree, key, {"repository": repository, "tag": tag})
        for key, value in artefact.flags.items():
            _put(tree, key, value)
    return tree


def _put(tree: dict[str, object], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        assert isinstance(below, dict)  # noqa: S101 - says so to the type checker
        tree = below
    tree[last] = value
