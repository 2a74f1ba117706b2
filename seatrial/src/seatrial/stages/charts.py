"""Releases before they are installed: which values they get, what they would make, and one digest over all that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from seatrial.model.errors import UsageError
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Object
from seatrial.saved_state import read, write
from seatrial.stages.context import Ctx
from seatrial.stages.secrets import secret_values

__all__ = ["images_of", "pin_digests", "pod_image", "release_digest", "render_all", "sets_of"]

_NO_CHART: Final = (".git", ".seatrial")
"""Folders that are no part of a chart, even if it is the project's own folder: each run writes into them."""


def sets_of(ctx: Ctx, release: ReleaseSpec) -> dict[str, str]:
    """Return the single values that say which image of ours a chart gets."""
    sets = {}
    for path, image in release.images.items():
        name, at, digest = pod_image(ctx, ctx.facts.tags[image]).partition("@")
        repository, _, tag = name.rpartition(":")
        # A label cannot contain a digest. Into our own registry nobody else pushes, so the tag alone means the same.
        if ctx.env.mirror and any(tag in label for label in _labels(ctx.facts.rendered.get(release.name, []))):
            at = digest = ""
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
    """Return a digest over everything that decides what a release makes: chart, values, single values, names.

    Of a chart, that is every file that Helm can read: through links, and those of `file://` dependencies. What
    `.helmignore` leaves out counts too: an upgrade too many is better than one too few.

    Raises:
        UsageError: a file cannot be read.
    """
    digest = hashlib.sha256()
    names = (release.name, release.namespace, release.chart, release.repository, release.version)
    values = sorted({**release.set, **sets}.items())
    digest.update(repr((names, values)).encode(errors="surrogateescape"))
    for path in (*_files(root / release.chart), *release.values):
        digest.update(os.fsencode(path) + b"\0")
        digest.update(_content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """Return the digest of a file, or of what stands in its place: a link to nothing, a pipe."""
    try:
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).digest()
        return hashlib.sha256(os.fsencode(path.readlink()) if path.is_symlink() else b"").digest()
    except OSError as error:
        raise UsageError(f"cannot read {path}", reason=str(error.strerror)) from error


def render_all(ctx: Ctx) -> None:
    """Render all releases into `ctx.facts.rendered`; what was rendered before is read again."""
    tool = _tool(ctx.env.processes.find("helm"))
    for release in ctx.project.release:
        sets = sets_of(ctx, release)
        key = release_digest(release, sets, ctx.project.root)
        path = _cached(ctx, key, tool)
        objects = read(path, list[dict[str, Any]])
        if objects is None:
            ctx.env.charts.prepare(release, deadline=ctx.deadline.child(ctx.project.timeouts.install))
            # Archives of dependencies have come.
            key = release_digest(release, sets, ctx.project.root)
            path = _cached(ctx, key, tool)
            objects = ctx.env.charts.render(release, sets, deadline=ctx.deadline.child(ctx.project.timeouts.install))
            write(path, objects)
        SECRETS.learn(secret_values(objects))
        ctx.facts.release_digests[release.name] = key
        ctx.facts.rendered[release.name] = objects


def pin_digests(ctx: Ctx) -> None:
    """Have the digests of delivered images decide, too, whether a release is as it should be.

    The tag alone says what an image was built from. A second build of the same can come to another image.
    """
    for release in ctx.project.release:
        if release.images:
            digest = release_digest(release, sets_of(ctx, release), ctx.project.root)
            ctx.facts.release_digests[release.name] = digest


def _cached(ctx: Ctx, key: str, tool: str) -> Path:
    return ctx.env.shared / "rendered" / f"{key[:24]}-{tool}.json"


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


def _labels(value: object) -> Iterator[str]:
    """Yield the values of all labels and selectors in rendered objects."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("labels", "matchLabels", "selector") and isinstance(inner, dict):
                yield from (each for each in inner.values() if isinstance(each, str))
            yield from _labels(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _labels(inner)


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
    if not chart.is_dir():
        if chart.is_file():
            yield chart
        return
    sources = _local_dependencies(chart)
    for path in _below(chart, frozenset()):
        # Archives of these are made anew from their sources, with other times in them.
        if path.parent != chart / "charts" or not any(fnmatch(path.name, f"{name}-*.tgz") for name in sources):
            yield path
    for source in sources.values():
        yield from _below(source, frozenset())


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Yield all that is in a folder and no folder itself, links followed as Helm does, but none that leads back."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read {folder}", reason=str(error.strerror)) from error
    for entry in entries:
        if not _is_folder(entry):
            yield Path(entry.path)
        elif entry.name not in _NO_CHART:
            yield from _below(Path(entry.path), above | {real})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False


def _local_dependencies(chart: Path) -> dict[str, Path]:
    """Return the charts of this project that a chart depends on by `repository: file://…`, by their name."""
    file = chart / "Chart.yaml"
    try:
        text = file.read_bytes()
    except OSError:
        return {}
    # Parsing takes longer than everything else here.
    if b"file://" not in text:
        return {}
    import yaml  # noqa: PLC0415

    try:
        entries = (yaml.safe_load(text) or {}).get("dependencies") or ()
        found = {str(each["name"]): chart / each["repository"].removeprefix("file://") for each in entries
                 if str(each.get("repository", "")).startswith("file://")}  # fmt: skip
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        # Helm says better what is wrong with it.
        return {}
    return {name: path for name, path in found.items() if path.is_dir()}
