"""Which renderer fits where the output goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from seatrial.sinks import Sink
from seatrial.sinks.plain import Plain

__all__ = ["renderer"]


def renderer(
    stream: TextIO,
    *,
    environ: Mapping[str, str],
    color: bool,
    quiet: bool,
    verbose: int,
    shares_terminal: bool,
) -> Sink:
    """Return what renders a run to `stream`."""
    del environ, color, shares_terminal
    return Plain(stream, quiet=quiet, verbose=verbose)
