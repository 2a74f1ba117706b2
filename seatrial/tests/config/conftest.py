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


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a directory with all files that `FULL` names, and make it the working directory."""
    for name in ("kind.yaml", "Dockerfile", "values.yaml", "pull.json", "compose.yaml", "token", "extra/one.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "charts/app").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
