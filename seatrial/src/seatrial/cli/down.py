"""Command `seatrial down`: remove the environment."""

from __future__ import annotations

import click

from seatrial.cli.declaration import env_option, namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial down", "the cluster and everything in it"),
        ("seatrial down --namespace pr-42", "this environment; the cluster and its other environments stay"),
    )
)
@env_option
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Remove the environment.

    In a cluster that seatrial did not create, only objects of seatrial are deleted. The registry's volume stays as a
    cache for the next environment; `seatrial clean --cache` deletes it. Environments that a killed command left are
    removed too.
    """
    from seatrial.app.take_down import take_down  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    take_down(machine(), context.project, context.namespace, context.say)
    return ExitCode.PASSED
