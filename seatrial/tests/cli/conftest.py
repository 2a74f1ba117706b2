from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from seatrial.cli.main import run


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
