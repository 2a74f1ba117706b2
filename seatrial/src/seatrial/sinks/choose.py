"""Choose the renderer for an output stream: terminal, plain lines or GitHub Actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from seatrial.model.event import Sink
from seatrial.sinks.plain import Plain

__all__ = ["renderer"]


def renderer(
    stream: TextIO,
    *,
    environ: Mapping[str, str],
    color: bool,
    quiet: bool = False,
    verbose: int = 0,
    shares_terminal: bool = True,
    commands: TextIO | None = None,
) -> Sink:
    """Return the renderer of a run.

    Args:
        stream: output stream; a terminal gets the live display.
        environ: GITHUB_ACTIONS, CI and TERM decide, too.
        color: whether to use colors.
        quiet: write only failures and the verdict.
        verbose: 0, 1 or 2.
        shares_terminal: whether pytest writes to the same terminal.
        commands: stream for GitHub's workflow commands about tests, the one of pytest's output; default: `stream`.
    """
    if environ.get("GITHUB_ACTIONS") == "true" and not quiet:
        from seatrial.sinks.github import GitHub  # noqa: PLC0415 - imported only where used

        return GitHub(stream, verbose=verbose, commands=commands)
    if stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI") and not quiet:
        from seatrial.sinks.console import Console  # noqa: PLC0415 - importing rich takes 60 ms

        return Console(stream, color=color, verbose=verbose, shares_terminal=shares_terminal)
    return Plain(stream, quiet=quiet, verbose=verbose)
