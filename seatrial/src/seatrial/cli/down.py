"""`seatrial down`."""

from __future__ import annotations

import click

from seatrial.cli.command import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(examples=(("seatrial down", "the cluster, and all that is in it"),))
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Take the environment down.

    The registry's volume stays: it is the cache that makes the next one quick. `seatrial clean --cache` removes it.
    """
    from seatrial.cli import sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import machine  # noqa: PLC0415

    this = machine()
    if sessions.find(this, context.project) is None:
        context.say("there is no environment of this project")
        return ExitCode.PASSED
    session = sessions.claim_kept(this, context.project)
    sessions.remove(this, session, context.project)
    context.say(f"removed what was made in {session.cluster}")
    return ExitCode.PASSED
