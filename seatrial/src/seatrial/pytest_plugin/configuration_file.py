"""Whether there is anything for the plugin to do: asked at the start of every pytest of this environment."""

from __future__ import annotations

from pathlib import Path

__all__ = ["configuration_file"]


def configuration_file(start: Path) -> Path | None:
    """Return the configuration in a directory or the nearest one above it, None if there is none.

    Looks only whether it is there: what is wrong with it is told once a test needs it.
    """
    for folder in (start, *start.parents):
        if (folder / "seatrial.toml").is_file():
            return folder / "seatrial.toml"
        project = folder / "pyproject.toml"
        try:
            if b"[tool.seatrial" in project.read_bytes():
                return project
        except OSError:
            continue
    return None
