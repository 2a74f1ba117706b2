"""Command `seatrial debug`: run a shell or a command in a debug pod, with HTTP, DNS and SQL clients."""

from __future__ import annotations

import sys

import click

from seatrial.cli.declaration import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import UsageError

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial debug", "a shell, where the tests run"),
        ("seatrial debug -- http web:8080/stock", "one question by HTTP"),
        ("seatrial debug -- dns web.shop", "each name that is tried, and its answer"),
        ('seatrial debug -- sql DATABASE_URI "SELECT 1"', "a variable of the tests, or a URL"),
        ("seatrial debug --image busybox:1.37", "with tools of your own"),
    )
)
@click.argument("argv", nargs=-1, metavar="[-- COMMAND…]")
@click.option("--image", metavar="IMAGE", default="", help="Another image, as a pod names it; it needs `sleep`.")
@namespace_option
@click.pass_obj
def command(context: Context, *, argv: tuple[str, ...], image: str) -> int:
    """Run a shell or a command in a debug pod, with HTTP, DNS and SQL clients.

    The debug pod has the image, labels, variables, Secrets and rights of the runner pod, so it reaches what the tests
    reach. It is deleted when the command ends. The exit code is that of the command.
    """
    from seatrial.app.debug_command import run_in_debug_pod  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not argv and not terminal:
        raise UsageError("a shell needs a terminal", hint="seatrial debug -- COMMAND")
    return run_in_debug_pod(
        machine(), context.project, context.namespace, argv, image=image, terminal=terminal, say=context.say
    )
