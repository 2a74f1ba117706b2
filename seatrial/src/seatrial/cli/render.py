"""Command `seatrial render`: show a past run again from its directory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

if TYPE_CHECKING:
    from seatrial.model.event import Sink

__all__ = ["command"]

_FORMATS: Final = ("auto", "console", "plain", "github", "json")


@plain_command(
    examples=(
        ("seatrial render", "the last run"),
        ("seatrial render 20260131-154501-3f2a", "an older one"),
        ("seatrial render artifacts/run --as plain", "one that came from CI, any directory"),
        ("seatrial render -v", "with what happened between"),
    )
)
@click.argument("run", default="latest")
@click.option(
    "--as",
    "as_",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="console, plain, github or json.",
)
@click.pass_obj
def command(ctx: Context, *, run: str, as_: str) -> ExitCode:
    """Show a past run again from its directory.

    What pytest printed is shown if not all tests passed, and with -v in any case.
    """
    from msgspec.structs import replace  # noqa: PLC0415 - keeps --help quick

    from seatrial.app.past_output import PastOutput  # noqa: PLC0415
    from seatrial.app.past_runs import find_events  # noqa: PLC0415
    from seatrial.model.redaction import safe_struct  # noqa: PLC0415
    from seatrial.sinks.guard import CommandGuard  # noqa: PLC0415
    from seatrial.sinks.past import Unreadable, events_of  # noqa: PLC0415 - keeps --help quick

    file = find_events(run, lambda: ctx.runs)
    form = "json" if ctx.as_json else as_
    sink = _sink(ctx, form)
    ctx.learn_secrets()
    guarded = form == "github" or os.environ.get("GITHUB_ACTIONS") == "true"
    output = PastOutput(
        file.parent,
        sys.stdout,
        color=ctx.color(sys.stdout),
        always=bool(ctx.verbose),
        guard=CommandGuard(sys.stdout) if guarded else None,
        warn=ctx.say,
    )
    whole = False
    for event in events_of(file):
        if isinstance(event, Unreadable):
            if not event.last:
                ctx.say(f"{file}:{event.line}: not an event that this seatrial knows: {event.reason}")
            continue
        if form != "json":
            output(event)
        # A run may come from CI, and its record from anybody.
        sink(replace(event, body=safe_struct(event.body)))
        whole = type(event.body).__name__ == "RunEnded"
    if form != "json":
        output.close()
    sink.close()
    if not whole:
        ctx.say("the run ended without a verdict: it was killed, or is still running")
    return ExitCode.PASSED


def _sink(ctx: Context, format_: str) -> Sink:
    from seatrial.sinks.choose import renderer  # noqa: PLC0415 - keeps --help quick

    color, terminal = ctx.color(sys.stdout), sys.stdout.isatty()
    if format_ == "auto":
        format_ = "console" if terminal and os.environ.get("TERM") != "dumb" else "plain"
    if format_ == "json":
        from seatrial.sinks.jsonl import JsonLines  # noqa: PLC0415

        return JsonLines(sys.stdout.buffer)
    if format_ == "console" and not ctx.quiet:
        from seatrial.sinks.console import Console  # noqa: PLC0415

        return Console(sys.stdout, color=color, verbose=ctx.verbose, shares_terminal=False, live=False)
    environ = {"GITHUB_ACTIONS": "true"} if format_ == "github" else {"CI": "true"}
    return renderer(sys.stdout, environ=environ, color=color, quiet=ctx.quiet, verbose=ctx.verbose)
