"""Which renderer fits where the output goes."""

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
    """Return what renders a run to `stream`.

    Args:
        stream: where to; whether it is a terminal decides most.
        environ: GITHUB_ACTIONS, CI and TERM are looked at.
        color: whether to use colours.
        quiet: only what went wrong, and the verdict.
        verbose: how much more to tell.
        shares_terminal: whether pytest writes to the same terminal.
        commands: where GitHub's commands about tests go: behind the tests' own output; default: to `stream`.
    """
    if environ.get("GITHUB_ACTIONS") == "true" and not quiet:
        from seatrial.sinks.github import GitHub  # noqa: PLC0415 - each only where needed

        return GitHub(stream, verbose=verbose, summary=environ.get("GITHUB_STEP_SUMMARY"), commands=commands)
    if stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI") and not quiet:
        from seatrial.sinks.console import Console  # noqa: PLC0415 - importing rich takes 60 ms

        return Console(stream, color=color, verbose=verbose, shares_terminal=shares_terminal)
    return Plain(stream, quiet=quiet, verbose=verbose)
