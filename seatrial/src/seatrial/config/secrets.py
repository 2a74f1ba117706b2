"""Which values of a configuration may be secrets, and which names are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from seatrial.config.positions import KeyPath
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import Project

__all__ = ["is_secret", "learn"]

_SECRET: Final = (("release", "set"), ("release", "set-beside"), ("image", "args"), ("runner", "env"))
"""Tables whose values may be secrets, without the numbers of their elements."""


_IMAGE: Final = re.compile(r"(?:^|[._-])(?:image|tag|repository|registry|digest)$", re.IGNORECASE)
"""Keys whose values name an image: what cannot be pulled has to be named."""


def is_secret(path: KeyPath) -> bool:
    """Return whether a value of the configuration may be a secret, by its key."""
    names = tuple(part for part in path if isinstance(part, str))
    return any(names[: len(table)] == table and len(names) > len(table) for table in _SECRET)


def learn(project: Project) -> None:
    """Let the process know what may not be written anywhere."""
    SECRETS.learn(_values(project), ordinary=_names(project))


def _values(project: Project) -> Iterator[str]:
    tables: list[Mapping[str, object]] = [project.runner.env]
    tables += [release.set for release in project.release] + [release.set_beside for release in project.release]
    tables += [image.args for image in project.image]
    for table in tables:
        yield from (value for key, value in table.items() if isinstance(value, str) and not _IMAGE.search(key))


def _names(project: Project) -> Iterator[str]:
    yield from (project.root.name, project.cluster.name, project.runner.pod, project.runner.image)
    yield project.runner.namespace
    for release in project.release:
        yield from (release.name, release.namespace, release.chart)
    for image in project.image:
        yield image.name
    for name, service in project.service.items():
        yield from (name, service.name or name, service.namespace or project.runner.namespace)
