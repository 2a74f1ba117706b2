"""Decide which values of a configuration may be secrets, and pass them to the redactor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from seatrial.config.positions import KeyPath
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import Project

__all__ = ["is_secret", "learn"]

_SECRET: Final = (
    ("release", "set"),
    ("release", "set-guest"),
    ("image", "args"),
    ("runner", "env"),
    ("compose", "env"),
)
"""Tables whose values may be secrets, without indices of array elements."""

_IMAGE: Final = re.compile(r"(?:^|[._-])(?:image|tag|repository|registry|digest)$", re.IGNORECASE)
"""Keys whose values name an image: errors have to name the image that cannot be pulled."""

_ADDRESS: Final = re.compile(r"SEATRIAL_SERVICE_\w+")
"""Keys whose values are addresses of services."""


def is_secret(path: KeyPath) -> bool:
    """Return whether the value of a key may be a secret."""
    names = tuple(part for part in path if isinstance(part, str))
    in_table = any(names[: len(table)] == table and len(names) > len(table) for table in _SECRET)
    return in_table and not _ADDRESS.fullmatch(names[-1])


def learn(project: Project) -> None:
    """Pass the secrets of a project to the redactor of this process."""
    SECRETS.learn(_values(project), ordinary=_names(project))


def _values(project: Project) -> Iterator[str]:
    tables: list[Mapping[str, object]] = [project.runner.env, *([project.compose.env] if project.compose else [])]
    tables += [release.set for release in project.release] + [release.set_guest for release in project.release]
    tables += [image.args for image in project.image]
    for table in tables:
        for key, value in table.items():
            if isinstance(value, str) and not _IMAGE.search(key) and not _ADDRESS.fullmatch(key):
                yield value


def _names(project: Project) -> Iterator[str]:
    yield from (project.root.name, project.cluster.name, project.runner.pod, project.runner.image)
    yield project.runner.namespace
    yield from (*project.runner.env, *project.runner.env_from, *(project.compose.env if project.compose else ()))
    for release in project.release:
        yield from (release.name, release.namespace, release.chart)
    for image in project.image:
        yield image.name
    for name, service in project.service.items():
        yield from (name, service.name or name, service.namespace or project.runner.namespace)
