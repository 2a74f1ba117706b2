"""`seatrial.toml`, or `[tool.seatrial]` in `pyproject.toml`, as a `Project`, each value with its source."""

from seatrial.config.load import Loaded, load

__all__ = ["Loaded", "load"]
