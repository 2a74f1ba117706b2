"""A build context, and what Dockerfiles do with its files."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.image_inputs.context_use import Analysis
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.sync_folders import SyncedFolders, places_of
from seatrial.image_inputs.working_tree import Entry, Files

HEAD = "FROM python:3.13\nWORKDIR /app\n"


def files(*paths: str) -> dict[str, Entry]:
    """Return a context with these files and the directories that they are in."""
    found = {path: Entry("f", 0o644, 1, "x") for path in paths}
    for path in paths:
        names = path.split("/")
        found |= {"/".join(names[:depth]): Entry("d", 0o755, 0, "") for depth in range(1, len(names))}
    return found


CONTEXT = files(
    "tests/test_a.py", "tests/data/a.json", "src/shop/__init__.py", "src/shop/a.py", "pyproject.toml",
    "requirements.txt", "docs/index.md", "conftest.py",
)  # fmt: skip


def places(text: str, sync: Sequence[str] = ("tests", "src"), there: Files = CONTEXT, **more: object) -> SyncedFolders:
    """Return the places of an image of a Dockerfile."""
    analysis = analyze(text)
    return SyncedFolders(analysis, "/app", places_of(analysis, "/app", sync, there), there, **more)  # type: ignore[arg-type]


def refused(text: str, path: str = "tests/test_a.py", **more: object) -> str:
    """Return why a change of a file is not sent."""
    return places(text, **more).refuses(path, CONTEXT.get(path), CONTEXT.get(path))  # type: ignore[arg-type]


def copied(analysis: Analysis) -> set[str]:
    """Return the files of the context that the image can contain."""
    return {path for path, entry in CONTEXT.items() if entry.kind == "f" and analysis.copies(path)}
