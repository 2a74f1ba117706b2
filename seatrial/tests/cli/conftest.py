from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from seatrial.cli.main import run

from .finished_runs import Runs


@dataclass(frozen=True)
class Said:
    """What a command line printed, and what the process would end with."""

    code: int
    out: str
    err: str


@pytest.fixture
def seatrial(capsys, monkeypatch, tmp_path) -> Callable[..., Said]:
    """Run a command line in this process, in an empty directory, with a clean environment."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "GITHUB_ACTIONS", "SEATRIAL_SET", "SEATRIAL_CLUSTER_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def seatrial(*argv: str) -> Said:
        code = run(argv)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return seatrial


@pytest.fixture
def state(monkeypatch, tmp_path: Path) -> Path:
    """An empty state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def project(tmp_path: Path, state: Path) -> Path:
    """A small project in the working directory, and an empty state directory."""
    (tmp_path / "seatrial.toml").write_text('[cluster]\nname = "it"\n[runner]\nimage = "x:1"\n')
    return tmp_path


@pytest.fixture
def runs(monkeypatch) -> Runs:
    """Takes the place of `run_in_environment`."""
    runs = Runs()
    monkeypatch.setattr("seatrial.app.run_lifecycle.run_in_environment", runs)
    return runs
