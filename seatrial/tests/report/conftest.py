"""Run directories for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from seatrial.report.page import Page
from seatrial.report.writer import page_of

from .run_directories import RUN, RunDirectory


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., Page]:
    """Return the page of a composed run."""

    def page(**content: object) -> Page:
        return page_of(RunDirectory(**content).write(tmp_path / RUN))  # type: ignore[arg-type]

    return page
