"""`seatrial up`."""

from __future__ import annotations

import click

from seatrial.cli.command import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial up", "then: seatrial test, as often as you like"),
        ("seatrial up", "again, after a change of chart or image: only what changed is done"),
    )
)
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Bring the environment up, or up to date, and leave it up.

    It goes by `seatrial down`, or by itself a day after its last use.
    """
    from seatrial.cli import lifecycle, sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import machine  # noqa: PLC0415

    this = machine()
    session = sessions.found_or_new(this, context.project, say=context.say)
    return lifecycle.finish(context, lifecycle.go(context, this, session, command=("up",), keep="always", tests=False))
