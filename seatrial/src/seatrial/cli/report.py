"""Errors in words, on stderr. Used by `main` and by commands that go on after an error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from seatrial.model.errors import ExitCode, SeatrialError, understood

__all__ = ["tell"]


def tell(error: BaseException, argv: Sequence[str]) -> ExitCode:
    """Print what happened, why, and what to try, and return the exit code that it means.

    An error that nobody foresaw is our bug: the traceback goes to a file that can be pasted into an issue.
    """
    error = understood(error)
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
    from seatrial.cli.crash import report_text, write_report  # noqa: PLC0415 - only when needed

    what = f"seatrial itself failed: {type(error).__name__}: {error}"
    try:
        log = write_report(error, argv)
    except OSError:
        # A full disk, say: the report is worth more than a tidy screen.
        _say(what, "this is our bug", "open an issue with the report below", "")
        print(report_text(error, argv), file=sys.stderr)
    else:
        _say(what, "this is our bug", "open an issue with the report", log)
    return ExitCode.ENVIRONMENT


def _say(what: str, why: str, try_: str, log: str) -> None:
    print(f"seatrial: {what}", file=sys.stderr)
    for label, text in (("why", why), ("try", try_), ("log", log)):
        if text:
            print(f"  {label}: {text}", file=sys.stderr)
