"""The stream itself: `events.jsonl`, one event a line. Everything else can be rendered from it later."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from seatrial.model.event import Event, encode_event

__all__ = ["JsonLines"]


class JsonLines:
    """Writes each event as a line, flushed, so that a killed run leaves all that happened.

    Args:
        to: a file to append to, which is made with its folders and closed at the end, or an open stream, which is not.
    """

    def __init__(self, to: Path | BinaryIO) -> None:
        self._owns = isinstance(to, Path)
        if isinstance(to, Path):
            to.parent.mkdir(parents=True, exist_ok=True)
            to = to.open("ab")
        self._file = to

    def __call__(self, event: Event, /) -> None:
        """Write the event."""
        self._file.write(encode_event(event) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._owns:
            self._file.close()
