"""Command `seatrial list`: list the environments of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.app.environment_list import ListedEnvironment

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial list", "of all projects of this user"),
        ("seatrial list --json", "for scripts"),
    )
)
@click.pass_obj
def command(context: Context) -> ExitCode:
    """List the environments of this machine.

    They are kind clusters, environments in existing clusters, and Compose projects.

    With `provider = "existing"`, environments that other machines created in the cluster are listed too.
    """
    from seatrial.app.environment_list import list_environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    try:
        project = context.project
    except UsageError:
        project = None
    listed = list_environments(machine(), project)
    context.print_result(listed, lambda: _text(listed))
    return ExitCode.PASSED


def _text(listed: list[ListedEnvironment]) -> str:
    if not listed:
        return "no environments"
    table = [
        ("KIND", "NAME", "NAMESPACE", "CREATED BY", "PROJECT", "STATE"),
        *(
            (each.kind, each.cluster, each.namespace or "-", each.created_by, each.project, each.state)
            for each in listed
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
