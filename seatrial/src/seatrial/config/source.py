"""Where a value came from."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

__all__ = ["DEFAULT", "Origin", "Source"]


class Origin(IntEnum):
    """Kinds of sources; a later one wins."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3


class Source(msgspec.Struct, frozen=True):
    """Where a value came from.

    Attributes:
        origin: which kind of source.
        where: `seatrial.toml:12`, the environment variable, or the option; empty for a default.
    """

    origin: Origin
    where: str = ""

    def __str__(self) -> str:
        """As people read it."""
        return self.where or "default"


DEFAULT: Final = Source(Origin.DEFAULT)
