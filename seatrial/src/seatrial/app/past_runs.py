"""Find the directory of a past run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from seatrial.model.errors import UsageError

__all__ = ["find_events"]


def find_events(name: str, runs: Callable[[], Path]) -> Path:
    """Return `events.jsonl` of a run.

    Args:
        name: id of a run, `latest`, path of a run directory, or path of the file.
        runs: returns the directory with the project's runs. It is not called if `name` is a file, or a path with a
            slash to a run directory.

    Raises:
        UsageError: there is no such run.
    """
    given = Path(name)
    if given.is_file():
        return given
    if (given.is_absolute() or os.sep in name) and (given / "events.jsonl").is_file():
        return given / "events.jsonl"
    own = runs()
    for folder in (own / name, given):
        if (folder / "events.jsonl").is_file():
            return folder / "events.jsonl"
    if not own.is_dir():
        raise UsageError(f"no run in {own}", hint="seatrial run")
    known = sorted(entry.name for entry in own.iterdir() if entry.is_dir() and not entry.is_symlink())
    raise UsageError(f"no run {name!r} in {own}", hint=f"one of: {', '.join(known[-5:])}" if known else "seatrial run")
