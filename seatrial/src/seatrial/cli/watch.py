"""`seatrial watch`."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from seatrial.cli.declaration import namespace_option, pytest_command
from seatrial.cli.errors import tell
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial watch", "all tests on every save, failed ones first"),
        ("seatrial watch -k s3 -x", "pytest's own options"),
    )
)
@namespace_option
@click.pass_obj
def command(ctx: Context, *, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests again on every save, failed ones first.

    Files count that an image, a chart or the configuration is made from. Keys between runs: Enter or a runs all, f only
    those that failed, q quits. Ctrl-C ends the running tests, once more quits. A save or a key during a run counts
    when it is over.
    """
    from seatrial.app.watch_loop import watch  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.test import run_once  # noqa: PLC0415

    def run(arguments: tuple[str, ...]) -> ExitCode:
        fresh = replace(ctx)  # reads the configuration again: it may be what was saved
        try:
            return run_once(fresh, (*pytest_args, *arguments))
        except Exception as error:  # noqa: BLE001 - told, and the next save may have mended it
            return tell(error, sys.argv[1:])

    return watch(run, lambda: replace(ctx).project, root=ctx.project.root, say=ctx.say)
