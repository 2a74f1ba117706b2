"""For all tests of the tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import World
from seatrial.model.redaction import SECRETS


@pytest.fixture(autouse=True)
def _no_secret_of_another_test() -> Iterator[None]:
    """Secrets are known to the whole process: of a command there is one in a process, of tests there are many."""
    SECRETS.forget()
    yield
    SECRETS.forget()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an in-memory environment of a project with a runner and nothing else."""
    return World(tmp_path)
