"""Write the event stream to `events.jsonl`, one event a line. `seatrial render` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.model.event import Event, encode_event

__all__ = ["JsonLines"]


class JsonLines:
    """Write each event as one flushed line, so that a killed run leaves a complete record.

    Args:
        to: a file to append to, which is created with its folders and closed at the end; or an open stream, which stays
            open.

    Raises:
        UsageError: the file cannot be opened.
    """

    def __init__(self, to: Path | BinaryIO) -> None:
        self._owns = isinstance(to, Path)
        self._name = str(to) if isinstance(to, Path) else "the event stream"
        if isinstance(to, Path):
            try:
                to.parent.mkdir(parents=True, exist_ok=True)
                # Unbuffered: after an error, closing the file cannot fail a second time.
                to = to.open("ab", buffering=0)
            except OSError as error:
                raise UsageError(f"cannot write {self._name}", reason=str(error.strerror)) from error
        self._file = to

    def __call__(self, event: Event, /) -> None:
        """Write the event.

        Raises:
            EnvironmentFailed: writing failed, for example because the disk is full.
        """
        line = memoryview(encode_event(event) + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            self._file.flush()
        except OSError as error:
            raise EnvironmentFailed(f"cannot write {self._name}", reason=str(error.strerror)) from error

    def close(self) -> None:
        """Close the file unless it was passed as an open stream."""
        if self._owns:
            self._file.close()
