"""Configurations that several tests load."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.config import load
from seatrial.config.problem import ConfigurationError
from seatrial.model.errors import ExitCode

__all__ = ["FULL", "MINIMAL", "refused"]

MINIMAL = """\
[runner]
image = "example.org/tests:1"
"""

FULL = Path(__file__).with_name("full.toml").read_text().partition("\n")[2]


def refused(text: str, *, settings=(), environ=None) -> list[str]:
    """Return the lines about what is wrong with a configuration."""
    Path("seatrial.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(settings=[(setting, "--set") for setting in settings], environ=environ or {})
    assert caught.value.exit_code is ExitCode.USAGE
    return [str(problem) for problem in caught.value.problems]
