"""`seatrial clean`."""

from __future__ import annotations

import click

from seatrial.cli.command import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial clean", "what dead or expired runs left; every run does that too"),
        ("seatrial clean --all", "kept environments of all projects as well"),
        ("seatrial clean --cache", "the registry's images and images built for projects"),
    )
)
@click.option("--all", "everything", is_flag=True, help="Also what was kept, of all projects, unless it is in use.")
@click.option("--cache", is_flag=True, help="Also what makes the next run quick: pushed and built images.")
@click.pass_obj
def command(context: Context, *, everything: bool, cache: bool) -> ExitCode:
    """Remove what dead or expired runs left behind.

    Nothing is touched that seatrial did not make.
    """
    from seatrial.cli import sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import machine  # noqa: PLC0415

    this = machine()
    with this.ledger.alone():
        removed = sessions.reap(this, this.clock.now(), context.say, everything=everything)
    if cache:
        removed += sessions.drop_cache(this, context.say)
    context.print_result(removed, f"removed: {', '.join(removed)}" if removed else "nothing to remove")
    return ExitCode.PASSED
