"""The source of a configuration value."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

__all__ = ["DEFAULT", "Origin", "Source"]


class Origin(IntEnum):
    """Kinds of sources. A later one overrides an earlier one."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3


class Source(msgspec.Struct, frozen=True):
    """The source of a value.

    Attributes:
        origin: kind of source.
        where: `seatrial.toml:12`, the environment variable, or the option; empty for a default.
    """

    origin: Origin
    where: str = ""

    def __str__(self) -> str:
        """Return the place, or `default`."""
        return self.where or "default"


DEFAULT: Final = Source(Origin.DEFAULT)
