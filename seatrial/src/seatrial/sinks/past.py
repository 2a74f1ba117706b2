"""A past run, read back from its `events.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from seatrial.model.event import Event, decode_event

__all__ = ["Unreadable", "events_of"]


class Unreadable(msgspec.Struct, frozen=True):
    """What could not be read: a line of a newer version, or one that a killed run left half written.

    Attributes:
        line: its number, counted from 1.
        last: whether it is the last one.
        reason: msgspec's words.
    """

    line: int
    last: bool
    reason: str


def events_of(file: Path) -> Iterator[Event | Unreadable]:
    """Yield the events of a run's `events.jsonl`, and in their place what cannot be read."""
    with file.open("rb") as lines:
        number, following = 0, lines.readline()
        while following:
            number, line, following = number + 1, following, lines.readline()
            try:
                yield decode_event(line)
            except msgspec.DecodeError as error:
                yield Unreadable(number, last=not following, reason=str(error))
