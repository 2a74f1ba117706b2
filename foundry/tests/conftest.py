"""A project of its own for each test: artefact list, recipes, cache; foundry runs in a process of its own."""

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
    """A folder with an artefact list, and foundry to run in it."""

    root: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def write(self, artefacts: str, **recipes: str) -> Project:
        """Write the artefact list and the bodies of recipes' `build(b)`."""
        folder = self.root / "foundry" / "recipes"
        folder.mkdir(parents=True, exist_ok=True)
        (self.root / "foundry" / "artefacts.toml").write_text(
            'schema = 1\nrecipes = "recipes"\n' + textwrap.dedent(artefacts)
        )
        for name, body in recipes.items():
            code = textwrap.indent(textwrap.dedent(body).strip(), "    ")
            (folder / f"{name}.py").write_text(f"from pathlib import Path\nimport time\n\n\ndef build(b):\n{code}\n")
        return self

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "FOUNDRY_CACHE": str(self.cache), "FOUNDRY_REGISTRY": "", **more}

    def run(self, *words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run foundry to its end and check its exit status."""
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
        """Start foundry and leave it running."""
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
    """A project in a folder of the test's own."""
    made = Project(tmp_path / "project")
    yield made
    for running in made.started:
        with running:  # closes its pipes
            running.kill()
