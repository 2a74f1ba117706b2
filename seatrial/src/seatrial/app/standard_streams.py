"""Standard streams of this process: open even if the caller closed them, and never the reason why a run ends."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, Final, TextIO

__all__ = ["lost_output", "protect"]

_DESCRIPTORS: Final = ((0, os.O_RDONLY, "stdin"), (1, os.O_WRONLY, "stdout"), (2, os.O_WRONLY, "stderr"))


def protect() -> None:
    """Open closed standard streams on the null device, and keep write errors of stdout and stderr for `lost_output`.

    Without this the next file that is opened takes the free descriptor, and programs that seatrial starts write into
    it. A reader that goes away (EPIPE) still raises BrokenPipeError on stdout.
    """
    for descriptor, mode, name in _DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor: this one, because those below are open by now.
            opened = os.open(os.devnull, mode)
            os.set_inheritable(opened, True)
            if getattr(sys, name) is None:
                setattr(sys, name, open(opened, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - lives as long as the process
    sys.stdout = _protected(sys.stdout, pipe_breaks=True)
    sys.stderr = _protected(sys.stderr, pipe_breaks=False)


def lost_output() -> OSError | None:
    """Return why a part of stdout could not be written, None if all of it was."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failed if isinstance(raw, _Lossy) else None


class _Lossy(io.FileIO):
    """Takes whatever is written, also when the file behind it does not.

    Attributes:
        failed: why the first write failed.
    """

    def __init__(self, descriptor: int, *, pipe_breaks: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._pipe_breaks = pipe_breaks
        self.failed: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:
                # Another program made the terminal or pipe non-blocking.
                select.select([], [self.fileno()], [])
        except OSError as error:
            if isinstance(error, BrokenPipeError) and self._pipe_breaks:
                raise
            self.failed = self.failed or error
            return len(data)
        return written


class _Unbuffered(io.BufferedWriter):
    """Passes on at once what is written, as streams do with PYTHONUNBUFFERED."""

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self.flush()
        return written


def _protected(stream: TextIO, *, pipe_breaks: bool) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    # A locale that has no `…` shows `\u2026` in its place.
    errors = "backslashreplace" if stream.errors == "strict" else stream.errors
    buffered = _Unbuffered if stream.write_through else io.BufferedWriter
    return io.TextIOWrapper(
        buffered(_Lossy(stream.fileno(), pipe_breaks=pipe_breaks)),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
