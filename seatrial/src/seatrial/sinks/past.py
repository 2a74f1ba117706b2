"""Read the events of a past run from its `events.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from seatrial.model.event import Event, decode_event

__all__ = ["Unreadable", "events_of"]


class Unreadable(msgspec.Struct, frozen=True):
    """A line that is not an event of this version: written by a newer one, or cut when the run was killed.

    Attributes:
        line: line number, from 1.
        last: whether it is the last line.
        reason: message of the decoder.
    """

    line: int
    last: bool
    reason: str


def events_of(file: Path) -> Iterator[Event | Unreadable]:
    """Yield the events of a run's `events.jsonl`, and an `Unreadable` for each other line."""
    with file.open("rb") as lines:
        number, following = 0, lines.readline()
        while following:
            number, line, following = number + 1, following, lines.readline()
            try:
                yield decode_event(line)
            except msgspec.DecodeError as error:
                yield Unreadable(number, last=not following, reason=str(error))
