"""`seatrial run`."""

from __future__ import annotations

import click

from seatrial.cli.command import pytest_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial run", "everything, and nothing is left"),
        ("seatrial run -k s3 -x", "pytest's own options"),
        ("seatrial run --keep on-failure", "leave the cluster if something fails; seatrial test goes on in it"),
        ("seatrial -q run --json", "the result as one JSON document"),
    )
)
@click.option(
    "--keep",
    type=click.Choice(("never", "on-failure", "always")),
    default="never",
    show_default=True,
    envvar="SEATRIAL_KEEP",
    help="Leave the cluster up afterwards.",
)
@click.pass_obj
def command(context: Context, *, keep: str, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests in a fresh cluster, bring the results home, remove the cluster.

    What --keep leaves is up like after `seatrial up`; the next `seatrial run` replaces it.
    """
    from seatrial.cli import lifecycle, sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import machine  # noqa: PLC0415

    this = machine()
    session = sessions.new_session(this, context.project, command="run", say=context.say)
    words = ("run", f"--keep={keep}", *pytest_args)
    return lifecycle.finish(
        context,
        lifecycle.go(context, this, session, command=words, keep=keep, tests=True, pytest_args=pytest_args),
    )
