"""Provide a project with its own artifact list, recipes and cache, and run foundry on it in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Project:
    """A folder with an artifact list, on which foundry can run."""

    root: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def write(self, artifacts: str, **recipes: str) -> Project:
        """Write the artifact list and the bodies of the recipes' `build(b)`."""
        folder = self.root / "foundry" / "recipes"
        folder.mkdir(parents=True, exist_ok=True)
        (self.root / "foundry" / "artifacts.toml").write_text(
            'schema = 1\nrecipes = "recipes"\n' + textwrap.dedent(artifacts)
        )
        for name, body in recipes.items():
            code = textwrap.indent(textwrap.dedent(body).strip(), "    ")
            (folder / f"{name}.py").write_text(f"from pathlib import Path\nimport time\n\n\ndef build(b):\n{code}\n")
        return self

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "FOUNDRY_CACHE": str(self.cache), "FOUNDRY_REGISTRY": "", **more}

    def run(self, *words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run foundry to its end and check its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "foundry", *words],
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr

        return done

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start foundry and return without waiting."""
        running = subprocess.Popen(
            [sys.executable, "-m", "foundry", *words],
            cwd=self.root,
            env=self.environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(running)
        return running


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Provide a project in the test's own folder."""
    made = Project(tmp_path / "project")
    yield made
    for running in made.started:
        with running:  # closes its pipes
            running.kill()
