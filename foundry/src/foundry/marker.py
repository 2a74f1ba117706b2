"""Mark cache folders. foundry writes into and empties only a folder that it created or found empty."""

from __future__ import annotations

from pathlib import Path

from foundry.errors import UsageError

MARKER = "foundry-cache"
ENTRIES = frozenset({"bin", "engine", "go", "lock", "logs", "maven", "state.json", "store", "work"})
"""The entries that foundry creates in a cache."""

_TEXT = "This folder is foundry's cache: `foundry clean` empties it.\n"


def claim(folder: Path) -> None:
    """Mark a folder as a foundry cache: a new folder, an empty one, or a cache of an earlier version.

    Raises:
        UsageError: the folder contains other files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / MARKER
    if mark.is_file():
        return
    names = {entry.name for entry in folder.iterdir()}
    # Caches of versions before the marker have these entries from their first use.
    if names and not (names <= ENTRIES and ("lock" in names or names == {"engine"})):
        foreign = sorted(names - ENTRIES) or sorted(names)
        raise UsageError(
            f"{folder} is not a foundry cache: it contains {foreign[0]}",
            f"`foundry clean` empties the cache, so it must contain only foundry's files; the file {MARKER} is missing",
            "set FOUNDRY_CACHE to a new or empty folder",
        )
    mark.write_text(_TEXT)


def owned(folder: Path) -> list[Path]:
    """Return foundry's entries in a cache, except its lock, marker and engine."""
    # The engine may run containers of other projects.
    return sorted(folder / name for name in ENTRIES - {"engine", "lock"} if (folder / name).exists())
