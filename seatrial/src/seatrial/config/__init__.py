"""Load `seatrial.toml`, or `[tool.seatrial]` in `pyproject.toml`, as a `Project` with the source of each value."""

from seatrial.config.load import Loaded, load

__all__ = ["Loaded", "load"]
