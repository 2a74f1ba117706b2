"""The stream itself: `events.jsonl`, one event a line. Everything else can be rendered from it later."""

from __future__ import annotations

from pathlib import Path

from seatrial.model.event import Event, encode_event

__all__ = ["JsonLines"]


class JsonLines:
    """Appends each event to a file, flushed, so that a killed run leaves all that happened."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def __call__(self, event: Event, /) -> None:
        """Write the event."""
        self._file.write(encode_event(event) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
