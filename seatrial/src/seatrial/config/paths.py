"""Make the paths of a configuration absolute, and check that they exist.

Paths of the file are relative to its directory, paths of `--set` to the working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from seatrial.config.check import Where, nearest
from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem, did_you_mean
from seatrial.config.shape import bare, fields, kind_of
from seatrial.config.source import Origin, Source
from seatrial.model.spec import Project, ReleaseSpec

__all__ = ["is_local_chart", "missing", "resolve"]

_SOURCE_OF_SECRET: Final = re.compile(r"(?<=src=)[^,]+")


class _Named(NamedTuple):
    """A path in the configuration, its key, and whether it must be a folder."""

    key: KeyPath
    path: Path
    folder: bool | None  # None: either


def is_local_chart(release: Mapping[str, Any]) -> bool:
    """Whether the chart of a `[[release]]` is a local folder or archive, not in a registry or repository."""
    return "repository" not in release and not re.match(r"[a-z]+://", str(release.get("chart", "")))


def resolve(data: dict[str, Any], sources: Mapping[KeyPath, Source], root: Path) -> dict[str, Any]:
    """Return `data` with absolute paths, also inside of strings. Its shape must have been checked."""

    def absolute(path: KeyPath, value: str) -> str:
        source = nearest(sources, path)
        base = Path.cwd() if source and source.origin is Origin.COMMAND_LINE else root
        return _real(Path(base, os.path.expanduser(value)))  # noqa: PTH111 - Path's raises for users that do not exist

    resolved: dict[str, Any] = _walk(data, Project, (), absolute)
    for index, image in enumerate(resolved.get("image", ())):
        # Without any link: paths of the working directory are compared with it.
        image["context"] = _real(Path(image.get("context", root)), wholly=True)
        at: KeyPath = ("image", index, "secrets")
        image["secrets"] = [
            (secret[: found.start()] + absolute(at, found[0]) + secret[found.end() :])
            if (found := _SOURCE_OF_SECRET.search(secret))
            else secret
            for secret in image.get("secrets", ())
        ]
    for index, release in enumerate(resolved.get("release", ())):
        if is_local_chart(release):
            release["chart"] = absolute(("release", index, "chart"), release["chart"])
        release["pull-secrets"] = [
            f"{name}={absolute(('release', index, 'pull-secrets'), file)}" if file else secret
            for secret in release.get("pull-secrets", ())
            for name, _, file in (secret.partition("="),)
        ]
    return resolved | {"root": str(root)}


def _real(path: Path, *, wholly: bool = False) -> str:
    """Return a path without `..` and links; a link as the last component stays, unless `wholly`."""
    if "\0" in str(path):
        return str(path)
    if wholly or path.name in ("", ".."):
        return os.path.realpath(path)
    return str(Path(os.path.realpath(path.parent), path.name))


def _walk(value: Any, type_: Any, path: KeyPath, absolute: Callable[[KeyPath, str], str]) -> Any:
    kind = kind_of(type_)
    if kind.name == "table":
        return {
            key: _walk(element, fields(kind.of)[key].type, (*path, key), absolute) for key, element in value.items()
        }
    if kind.name == "map":
        return {key: _walk(element, kind.of, (*path, key), absolute) for key, element in value.items()}
    if kind.name == "array":
        return [_walk(element, kind.of, (*path, index), absolute) for index, element in enumerate(value)]
    return absolute(path, value) if bare(type_) is Path else value


def missing(project: Project, where: Where) -> list[Problem]:
    """Return a problem for each file or folder that does not exist or is of the wrong type."""
    return [problem for named in _named(project) if (problem := _missing(named, project.root, where))]


def _named(project: Project) -> Iterator[_Named]:
    if project.cluster.config:
        yield _Named(("cluster", "config"), project.cluster.config, folder=False)
    if project.cluster.kubeconfig:
        yield _Named(("cluster", "kubeconfig"), project.cluster.kubeconfig, folder=False)
    for index, image in enumerate(project.image):
        at = ("image", index)
        yield _Named((*at, "context"), image.context, folder=True)
        if image.dockerfile or image.context.is_dir():
            key = "dockerfile" if image.dockerfile else "context"
            yield _Named((*at, key), image.dockerfile or image.context / "Dockerfile", folder=False)
        for number, secret in enumerate(image.secrets):
            if found := _SOURCE_OF_SECRET.search(secret):
                yield _Named((*at, "secrets", number), Path(found[0]), folder=False)
    for index, release in enumerate(project.release):
        yield from _named_by_release(release, ("release", index))
    # A project that no longer uses Compose may have deleted its files.
    if project.compose and project.environment == "compose":
        yield _Named(("compose", "file"), project.compose.file, folder=False)
        for number, file in enumerate(project.compose.env_file):
            yield _Named(("compose", "env-file", number), file, folder=False)


def _named_by_release(release: ReleaseSpec, at: KeyPath) -> Iterator[_Named]:
    if release.repository is None and Path(release.chart).is_absolute():
        yield _Named((*at, "chart"), Path(release.chart), folder=None)
    for number, values in enumerate(release.values):
        yield _Named((*at, "values", number), values, folder=False)
    for number, manifests in enumerate(release.manifests):
        yield _Named((*at, "manifests", number), manifests, folder=None)
    for number, secret in enumerate(release.pull_secrets):
        if file := secret.partition("=")[2]:
            yield _Named((*at, "pull-secrets", number), Path(file), folder=False)


def _missing(named: _Named, root: Path, where: Where) -> Problem | None:
    path = named.path
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    if not path.exists():
        hint = ""
        if path.parent.is_dir():
            hint = did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))
        if not hint.startswith("did"):
            hint = "create it or correct the path"
        return Problem(where(named.key), named.key, f"{shown} does not exist", hint)
    if named.folder is not None and path.is_dir() != named.folder:
        is_, should = ("a file", "a folder") if named.folder else ("a folder", "a file")
        message = f"{shown} is {is_}, should be {should}"
        return Problem(where(named.key), named.key, message)
    return None
