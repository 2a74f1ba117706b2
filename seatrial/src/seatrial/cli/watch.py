"""Command `seatrial watch`: rerun the tests on every save, failed ones first."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from seatrial.cli.declaration import env_option, namespace_option, pytest_command
from seatrial.cli.errors import tell
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial watch", "all tests, then again on every save"),
        ("seatrial watch -k s3 -x", "options of pytest"),
    )
)
@env_option
@namespace_option
@click.pass_obj
def command(ctx: Context, *, pytest_args: tuple[str, ...]) -> ExitCode:
    """Rerun the tests on every save, failed ones first.

    Saved files count if an image, a chart or the configuration depends on them. Keys between runs: Enter or a runs all
    tests, f only failed ones, q quits. Ctrl-C interrupts the running tests; the next Ctrl-C quits. A save or a key
    during a run counts when the run ends.
    """
    from seatrial.app.watch_loop import watch  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.test import run_once  # noqa: PLC0415

    def run(arguments: tuple[str, ...]) -> ExitCode:
        fresh = replace(ctx)  # the configuration may have been saved: read it again
        try:
            return run_once(fresh, (*pytest_args, *arguments))
        except Exception as error:  # noqa: BLE001 - printed, and the next save may fix its cause
            return tell(error, sys.argv[1:])

    return watch(run, lambda: replace(ctx).project, root=ctx.project.root, say=ctx.say)
