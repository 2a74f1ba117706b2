# ruff: noqa: INP001 - hatchling loads this file by its path
"""Add metadata that depends on the repository's address: URLs, and absolute links in the README.

`SEATRIAL_REPOSITORY` is the address and `SEATRIAL_REVISION` the tag or commit of the links; the release workflow sets
both. A build from an sdist reads them from the sdist's metadata. Without them, links are relative.
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
    """Set the fields that `pyproject.toml` declares dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` and `urls`."""
        root = Path(self.root)
        urls, text = built(root / "PKG-INFO") or fresh(root / "README.md", os.environ)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls


def built(info: Path) -> tuple[dict[str, str], str] | None:
    """Return URLs and README of an unpacked sdist; None in a checkout."""
    if not info.is_file():
        return None
    message = Parser().parsestr(info.read_text(encoding="utf-8"))
    urls = dict(line.split(", ", 1) for line in message.get_all("Project-URL") or ())
    return urls, str(message.get_payload())


def fresh(readme: Path, environment: Any) -> tuple[dict[str, str], str]:
    """Return URLs and README of a checkout."""
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
