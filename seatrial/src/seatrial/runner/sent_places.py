"""Find the folders that are sent to an image which is not built from this project."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from seatrial.model.errors import UsageError
from seatrial.model.spec import Project

__all__ = ["sent_places"]


def sent_places(project: Project, before: Iterable[str]) -> tuple[str, ...]:
    """Return the folders of `runner.sync` that exist, after those that were sent before.

    Raises:
        UsageError: one of them is a file or a link.
    """
    spec, root = project.runner, project.root
    found = dict.fromkeys(before)
    for path in spec.sync:
        place = root / path
        if place.is_symlink() or place.is_file():
            raise UsageError(
                f"runner.sync names {path}, which is {'a symbolic link' if place.is_symlink() else 'a file'}",
                reason=f"image {spec.image} is not built from this project: only folders can be sent to it",
                hint="name the folder itself" if place.is_symlink() else "move it into a folder that is sent",
            )
        if place.is_dir():
            found[posixpath.normpath(path)] = None
    return tuple(found)
