# ruff: noqa: INP001 - hatchling loads this file by its path
"""Add to the metadata what depends on where the repository lives: URLs, and the README's links made absolute.

`SEATRIAL_REPOSITORY` is its address and `SEATRIAL_REVISION` the tag or commit that links point to; the release workflow
sets both. A build from an sdist reads them from the sdist's own metadata. Without either, links stay relative.
"""

from __future__ import annotations

import os
import re
from email.parser import Parser
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)")
_DIRECTORY = "seatrial"


class RepositoryHook(MetadataHookInterface):
    """Hatch's hook for the fields that `pyproject.toml` declares dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` and `urls`."""
        root = Path(self.root)
        urls, text = built(root / "PKG-INFO") or fresh(root / "README.md", os.environ)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls


def built(info: Path) -> tuple[dict[str, str], str] | None:
    """URLs and README of an unpacked sdist; None in a checkout."""
    if not info.is_file():
        return None
    message = Parser().parsestr(info.read_text(encoding="utf-8"))
    urls = dict(line.split(", ", 1) for line in message.get_all("Project-URL") or ())
    return urls, str(message.get_payload())


def fresh(readme: Path, environment: Any) -> tuple[dict[str, str], str]:
    """URLs and README of a checkout."""
    text = readme.read_text(encoding="utf-8")
    repository = environment.get("SEATRIAL_REPOSITORY", "").rstrip("/")
    revision = environment.get("SEATRIAL_REVISION", "") or "main"
    if not repository:
        return {}, text
    pages = f"{repository}/blob/{revision}"
    urls = {
        "Source": repository,
        "Documentation": f"{pages}/{_DIRECTORY}/docs/README.md",
        "Changelog": f"{pages}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    return urls, _LINK.sub(lambda link: f"]({pages}/{_DIRECTORY}/{link[1]})", text)
