"""Releases before they are installed: which values they get, what they would make, and one digest over all that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial.model.redaction import SECRETS
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Object
from seatrial.stages.context import Ctx
from seatrial.stages.memory import read, write
from seatrial.stages.secrets import secret_values

__all__ = ["images_of", "pin_digests", "pod_image", "release_digest", "render_all", "sets_of"]


def sets_of(ctx: Ctx, release: ReleaseSpec) -> dict[str, str]:
    """Return the single values that say which image of ours a chart gets."""
    sets = {}
    for path, image in release.images.items():
        name, at, digest = pod_image(ctx, ctx.facts.tags[image]).partition("@")
        repository, _, tag = name.rpartition(":")
        # Charts write REPOSITORY:TAG; with a digest behind the tag, that is what counts.
        sets[f"{path}.repository"], sets[f"{path}.tag"] = repository, f"{tag}{at}{digest}"
    return sets


def pod_image(ctx: Ctx, reference: str) -> str:
    """Return the image reference for a pod: with the digest of what was pushed, once it is known.

    In a registry of others, images that are not of this project keep their names.
    """
    if "@" in reference or not (ctx.env.mirror or reference in ctx.facts.tags.values()):
        return reference
    digest = ctx.facts.delivered.get(reference, "")
    return ctx.env.registry.name_for(reference) + (f"@{digest}" if digest else "")


def release_digest(release: ReleaseSpec, sets: Mapping[str, str], root: Path) -> str:
    """Return a digest over everything that decides what a release makes: chart, values, single values, names."""
    digest = hashlib.sha256()
    for part in (release.name, release.namespace, release.chart, release.repository, release.version):
        digest.update(f"{part}\0".encode())
    digest.update(repr(sorted({**release.set, **sets}.items())).encode())
    chart = root / release.chart
    for path in (*_files(chart), *release.values):
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def render_all(ctx: Ctx) -> None:
    """Render all releases into `ctx.facts.rendered`; what was rendered before is read again."""
    tool = _tool(ctx.env.processes.find("helm"))
    for release in ctx.project.release:
        sets = sets_of(ctx, release)
        key = ctx.facts.release_digests[release.name] = release_digest(release, sets, ctx.project.root)
        path = ctx.env.shared / "rendered" / f"{key[:24]}-{tool}.json"
        objects = read(path, list[dict[str, Any]])
        if objects is None:
            ctx.env.charts.prepare(release, deadline=ctx.deadline.child(ctx.project.timeouts.install))
            objects = ctx.env.charts.render(release, sets, deadline=ctx.deadline.child(ctx.project.timeouts.install))
            write(path, objects)
        SECRETS.learn(secret_values(objects))
        ctx.facts.rendered[release.name] = objects


def pin_digests(ctx: Ctx) -> None:
    """Have the digests of delivered images decide, too, whether a release is as it should be.

    The tag alone says what an image was built from. A second build of the same can come to another image.
    """
    for release in ctx.project.release:
        if release.images:
            digest = release_digest(release, sets_of(ctx, release), ctx.project.root)
            ctx.facts.release_digests[release.name] = digest


def _tool(path: str | None) -> str:
    """Return what tells one version of a program from another without running it."""
    try:
        stamp = Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        stamp = 0
    return hashlib.sha256(f"{path} {stamp}".encode()).hexdigest()[:8]


def images_of(objects: Iterable[Object]) -> list[str]:
    """Return the images of all containers in objects, wherever a pod's specification stands in them."""
    found: dict[str, None] = {}
    for obj in objects:
        for image in _images(obj):
            found[image] = None
    return list(found)


def _images(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (str(each["image"]) for each in inner if isinstance(each, dict) and each.get("image"))
            else:
                yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


def _files(chart: Path) -> Iterator[Path]:
    """Yield the files of a chart in this project; an archive is one file, and what is elsewhere has none."""
    if chart.is_dir():
        yield from sorted(path for path in chart.rglob("*") if path.is_file())
    elif chart.is_file():
        yield chart
