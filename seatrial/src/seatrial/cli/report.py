"""Errors in words, on stderr. Used by `main` and by commands that go on after an error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from seatrial.model.errors import ExitCode, SeatrialError

__all__ = ["tell"]


def tell(error: Exception, argv: Sequence[str]) -> ExitCode:
    """Print what happened, why, and what to try, and return the exit code that it means.

    An error that nobody foresaw is our bug: the traceback goes to a file that can be pasted into an issue.
    """
    if isinstance(error, click.ClickException):
        ctx = getattr(error, "ctx", None)
        path = ctx.command_path if isinstance(ctx, click.Context) else "seatrial"
        _say(error.format_message().rstrip("."), "", f"{path} --help", "")
        return ExitCode.USAGE
    if isinstance(error, SeatrialError):
        if error.told:
            return error.exit_code
        for problem in getattr(error, "problems", ()):
            print(problem, file=sys.stderr)
        _say(error.what, error.why, error.try_, error.log)
        return error.exit_code
    from seatrial.cli.crash import write_report  # noqa: PLC0415 - only when needed

    _say(
        f"seatrial itself failed: {type(error).__name__}: {error}",
        "this is our bug",
        "open an issue with the report",
        write_report(error, argv),
    )
    return ExitCode.ENVIRONMENT


def _say(what: str, why: str, try_: str, log: str) -> None:
    print(f"seatrial: {what}", file=sys.stderr)
    for label, text in (("why", why), ("try", try_), ("log", log)):
        if text:
            print(f"  {label}: {text}", file=sys.stderr)
