"""From files, environment and command line to a Project."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from seatrial.model.errors import UsageError
from seatrial.model.spec import Project

__all__ = ["Loaded", "load"]


@dataclass(frozen=True)
class Loaded:
    """A project and the file it came from."""

    project: Project
    file: Path


def load(at: str | None = None, *, settings: Sequence[tuple[str, str]] = ()) -> Loaded:
    """Read the configuration."""
    del settings
    start = Path(at or ".").resolve()
    for folder in (start, *start.parents):
        file = folder / "seatrial.toml"
        if file.is_file():
            break
    else:
        raise UsageError(f"no seatrial.toml in {start} or above", try_="seatrial init")
    data: dict[str, Any] = tomllib.loads(file.read_text())
    data["root"] = str(file.parent)
    project = msgspec.convert(
        data, Project, dec_hook=lambda kind, value: (file.parent / value) if kind is Path else value
    )
    return Loaded(project, file)
