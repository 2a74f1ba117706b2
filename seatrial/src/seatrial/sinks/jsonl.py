"""The stream itself: `events.jsonl`, one event a line. Everything else can be rendered from it later."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from seatrial.model.errors import EnvironmentFailed, UsageError
from seatrial.model.event import Event, encode_event

__all__ = ["JsonLines"]


class JsonLines:
    """Writes each event as a line, flushed, so that a killed run leaves all that happened.

    Args:
        to: a file to append to, which is made with its folders and closed at the end, or an open stream, which is not.

    Raises:
        UsageError: the file cannot be opened.
    """

    def __init__(self, to: Path | BinaryIO) -> None:
        self._owns = isinstance(to, Path)
        self._name = str(to) if isinstance(to, Path) else "the event stream"
        if isinstance(to, Path):
            try:
                to.parent.mkdir(parents=True, exist_ok=True)
                # Unbuffered: after an error nothing is left that would fail again when the file is closed.
                to = to.open("ab", buffering=0)
            except OSError as error:
                raise UsageError(f"cannot write {self._name}", reason=str(error.strerror)) from error
        self._file = to

    def __call__(self, event: Event, /) -> None:
        """Write the event.

        Raises:
            EnvironmentFailed: the disk is full, say: the record of the run has a gap.
        """
        line = memoryview(encode_event(event) + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            self._file.flush()
        except OSError as error:
            raise EnvironmentFailed(f"cannot write {self._name}", reason=str(error.strerror)) from error

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._owns:
            self._file.close()
