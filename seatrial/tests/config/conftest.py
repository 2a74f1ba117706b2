"""Projects written by a test and detected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from seatrial.config.detect import Detected, detect


@pytest.fixture
def project(tmp_path: Path) -> Callable[[dict[str, str]], Detected]:
    """Return a function that writes files into the project `my_App` and detects it."""
    root = tmp_path / "my_App"
    root.mkdir()

    def project(files: dict[str, str]) -> Detected:
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return detect(root)

    return project
