"""The mark of a cache folder: only a folder that foundry made, or found empty, is written into and emptied."""

from __future__ import annotations

from pathlib import Path

from foundry.errors import UsageError

MARKER = "foundry-cache"
ENTRIES = frozenset({"bin", "engine", "go", "lock", "logs", "maven", "state.json", "store", "work"})
"""What foundry writes into a cache."""

_TEXT = "This folder is foundry's cache: `foundry clean` empties it.\n"


def claim(folder: Path) -> None:
    """Make a folder a cache of foundry's: a new or empty one, or one from before there was a mark.

    Raises:
        UsageError: it holds something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / MARKER
    if mark.is_file():
        return
    names = {entry.name for entry in folder.iterdir()}
    # Before there was a mark, a cache had these from its first use on.
    if names and not (names <= ENTRIES and ("lock" in names or names == {"engine"})):
        foreign = sorted(names - ENTRIES) or sorted(names)
        raise UsageError(
            f"{folder} is no cache of foundry's: it has {foreign[0]}",
            f"foundry uses a folder of its own, which `foundry clean` empties; this one has no file {MARKER}",
            "set FOUNDRY_CACHE to a new or empty folder",
        )
    mark.write_text(_TEXT)


def owned(folder: Path) -> list[Path]:
    """Return what foundry wrote into a cache, without its lock, mark and engine; all else in it stays."""
    # The engine outlives its images: it may run what is not ours.
    return sorted(folder / name for name in ENTRIES - {"engine", "lock"} if (folder / name).exists())
