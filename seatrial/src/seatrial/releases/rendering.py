"""Render releases with the images of a run, and read images and secret values from the rendered objects."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.model.deadline import Deadline
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Charts, Object
from seatrial.releases.chart_digest import release_digest
from seatrial.saved_state import read, write

__all__ = ["Rendered", "image_values", "images_of", "program_stamp", "render_release", "secret_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered release.

    Attributes:
        digest: digest of chart, values and names, see `release_digest`.
        objects: the objects, hooks included.
    """

    digest: str
    objects: list[Object]


def image_values(
    release: ReleaseSpec, images: Mapping[str, str], *, objects: Iterable[Object] = (), own_registry: bool
) -> dict[str, str]:
    """Return the single values that tell a chart which images of the project to use.

    Args:
        release: the release.
        images: name of an image of the project to its reference in a pod, with a digest once it was pushed.
        objects: the rendered release. If a label in it contains the tag, the value gets no digest.
        own_registry: whether seatrial's own registry delivers the images. Then a tag always means the same image.
    """
    values = {}
    for path, image in release.images.items():
        name, at, digest = images[image].partition("@")
        repository, _, tag = name.rpartition(":")
        # A label cannot contain a digest.
        if own_registry and any(tag in label for label in _labels(list(objects))):
            at = digest = ""
        # Charts write REPOSITORY:TAG. With a digest after the tag, the digest decides.
        values[f"{path}.repository"], values[f"{path}.tag"] = repository, f"{tag}{at}{digest}"
    return values


def render_release(
    release: ReleaseSpec,
    values: Mapping[str, str],
    *,
    charts: Charts,
    root: Path,
    cache: Path,
    stamp: str | None,
    deadline: Deadline,
) -> Rendered:
    """Render a release, or read it from the cache. Its secret values are redacted from now on.

    Args:
        release: the release.
        values: single values that seatrial sets.
        charts: Helm.
        root: the project's root.
        cache: folder of rendered releases.
        stamp: `program_stamp` of Helm; None: Helm is not installed. Then the cache serves what any Helm rendered.
        deadline: ends Helm.

    Raises:
        CommandFailed: Helm failed.
        UsageError: a file of the chart cannot be read.
    """
    digest = release_digest(release, values, root)
    known = _cache_file(cache, digest, stamp) if stamp else _newest_file(cache, digest)
    objects = read(known, list[dict[str, Any]]) if known else None
    if objects is None:
        charts.prepare(release, deadline=deadline)
        # `prepare` may have downloaded archives of dependencies.
        digest = release_digest(release, values, root)
        objects = charts.render(release, values, deadline=deadline)
        write(_cache_file(cache, digest, stamp or ""), objects)
    SECRETS.learn(secret_values(objects))
    return Rendered(digest=digest, objects=objects)


def program_stamp(path: str | None) -> str | None:
    """Return a short digest that changes with the version of a program, without running it; None without a program."""
    if path is None:
        return None
    try:
        modified = Path(path).stat().st_mtime_ns
    except OSError:
        modified = 0
    return hashlib.sha256(f"{path} {modified}".encode()).hexdigest()[:8]


def images_of(objects: Iterable[Object]) -> list[str]:
    """Return the images of all containers in objects, at any depth, each once."""
    return list(dict.fromkeys(image for obj in objects for image in _images(obj)))


def secret_values(objects: Iterable[Object]) -> Iterator[str]:
    """Yield the decoded values of all Secrets among objects."""
    for each in objects:
        if each.get("kind") != "Secret":
            continue
        yield from map(str, (each.get("stringData") or {}).values())
        for value in (each.get("data") or {}).values():
            try:
                yield base64.b64decode(str(value)).decode()
            except (binascii.Error, ValueError):
                yield str(value)


def _cache_file(cache: Path, digest: str, stamp: str) -> Path:
    return cache / f"{digest[:24]}-{stamp}.json"


def _newest_file(cache: Path, digest: str) -> Path | None:
    found = cache.glob(f"{digest[:24]}-*.json")
    return max(found, key=lambda file: file.stat().st_mtime_ns, default=None)


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
