"""Print errors on stderr, and turn the end of a run into an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from seatrial.model.errors import ExitCode, SeatrialError, understood

if TYPE_CHECKING:
    from seatrial.cli.options import Context
    from seatrial.pipeline import FinishedRun

__all__ = ["finish", "tell"]


def tell(error: BaseException, argv: Sequence[str]) -> ExitCode:
    """Print an error with its reason and hint, and return its exit code.

    An unexpected error is a bug of seatrial: the traceback goes to a file that can be pasted into an issue.
    """
    error = understood(error)
    if isinstance(error, click.ClickException):
        ctx = getattr(error, "ctx", None)
        path = ctx.command_path if isinstance(ctx, click.Context) else "seatrial"
        _say(error.format_message().rstrip("."), "", f"{path} --help", "")
        return ExitCode.USAGE
    if isinstance(error, SeatrialError):
        if error.shown:
            return error.exit_code
        for problem in getattr(error, "problems", ()):
            _print(str(problem))
        _say(error.message, error.reason, error.hint, error.log)
        return error.exit_code
    from seatrial.app.crash_report import report_text, write_report  # noqa: PLC0415 - only when needed

    message = f"internal error: {type(error).__name__}: {error}"
    try:
        log = write_report(error, argv)
    except OSError:
        # For example because the disk is full.
        _say(message, "this is a bug of seatrial", "open an issue with the report below", "")
        print(report_text(error, argv), file=sys.stderr)
    else:
        _say(message, "this is a bug of seatrial", "open an issue with the report", log)
    return ExitCode.ENVIRONMENT


def finish(context: Context, ended: FinishedRun) -> ExitCode:
    """Print the result with `--json` and return the run's exit code; raise the problem that decided it."""
    from seatrial.pipeline import code_of  # noqa: PLC0415 - keeps --help quick

    if context.as_json:
        context.print_result(ended.result, "")
    for bug in ended.bugs:
        tell(bug, sys.argv[1:])
    problem = ended.problem
    if problem is not None and code_of(problem) is ended.result.exit:
        raise problem
    if problem is not None:
        # The exit code of the tests takes precedence, for example if they were inconclusive and teardown failed.
        tell(problem, sys.argv[1:])
    return ended.result.exit


def _say(message: str, reason: str, hint: str, log: str) -> None:
    _print(f"seatrial: {message}")
    for label, text in (("reason", reason), ("hint", hint), ("log", log)):
        if text:
            _print(f"  {label}: {text}")


def _print(text: str) -> None:
    """Print a text that may contain secrets or the output of a program or pod."""
    from seatrial.model.redaction import SECRETS  # noqa: PLC0415 - only when needed
    from seatrial.model.text import safe_text  # noqa: PLC0415

    print(safe_text(SECRETS.text(text)), file=sys.stderr)
