"""Protect the standard streams: reopen closed ones, and keep write errors from ending a run."""

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

    Otherwise the next opened file would get the free descriptor, and child processes would write into it. A reader of
    stdout that closes the pipe (EPIPE) still raises BrokenPipeError.
    """
    for descriptor, mode, name in _DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # `open` returns the lowest free descriptor. It is this one: those below it are open by now.
            opened = os.open(os.devnull, mode)
            os.set_inheritable(opened, True)
            if getattr(sys, name) is None:
                setattr(sys, name, open(opened, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - open until the process ends
    sys.stdout = _protected(sys.stdout, pipe_breaks=True)
    sys.stderr = _protected(sys.stderr, pipe_breaks=False)


def lost_output() -> OSError | None:
    """Return the error that kept a part of stdout from being written; None if all was written."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failed if isinstance(raw, _Lossy) else None


class _Lossy(io.FileIO):
    """A file that drops what cannot be written.

    Attributes:
        failed: error of the first failed write.
    """

    def __init__(self, descriptor: int, *, pipe_breaks: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._pipe_breaks = pipe_breaks
        self.failed: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:
                # Another process has made the terminal or pipe non-blocking.
                select.select([], [self.fileno()], [])
        except OSError as error:
            if isinstance(error, BrokenPipeError) and self._pipe_breaks:
                raise
            self.failed = self.failed or error
            return len(data)
        return written


class _Unbuffered(io.BufferedWriter):
    """Writes without delay, as streams do with PYTHONUNBUFFERED."""

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self.flush()
        return written


def _protected(stream: TextIO, *, pipe_breaks: bool) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    # If the encoding has no `…`, `\u2026` is written.
    errors = "backslashreplace" if stream.errors == "strict" else stream.errors
    buffered = _Unbuffered if stream.write_through else io.BufferedWriter
    return io.TextIOWrapper(
        buffered(_Lossy(stream.fileno(), pipe_breaks=pipe_breaks)),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
