"""`seatrial list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from seatrial.app.wiring import Machine
    from seatrial.model.environment_record import EnvironmentRecord

__all__ = ["command"]


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    cluster: str
    namespace: str = ""
    project: str
    made_by: str
    state: str
    policies: str = ""
    environment: str = ""


@plain_command(
    examples=(
        ("seatrial list", "of all projects of this user"),
        ("seatrial list --json", "for scripts"),
    )
)
@click.pass_obj
def command(context: Context) -> ExitCode:
    """List the environments of this machine.

    In a project whose cluster is somebody else's, also those that other machines made there.
    """
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this = machine()
    rows = [_row(this, record) for record in this.ledger.records()]
    rows += [
        _Row(
            cluster=stray.name,
            project="",
            made_by="run",
            state="left behind: the next run, up, down or clean removes it",
        )
        for stray in environments.strays(this)
    ]
    rows += [row for row in _elsewhere(context, this) if (row.cluster, row.namespace) not in _places(rows)]
    context.print_result(rows, lambda: _text(rows))
    return ExitCode.PASSED


def _places(rows: list[_Row]) -> set[tuple[str, str]]:
    return {(row.cluster, row.namespace) for row in rows}


def _row(this: Machine, record: EnvironmentRecord) -> _Row:
    """Return the row of an environment in the ledger."""
    now = this.clock.now()
    if not this.ledger.claim(record.id):
        state = "in use"
    else:
        this.ledger.release(record.id)
        state = "dead: the next command removes it"
        if record.kept and record.expires > now:
            state = _until(record.expires)
        elif record.kept:
            state = "expired: the next command removes it"
    return _Row(
        cluster=record.cluster,
        namespace=record.namespace,
        project=record.project,
        made_by=record.command,
        state=state,
        environment=record.id,
    )


def _elsewhere(context: Context, this: Machine) -> list[_Row]:
    """Return environments that other machines made in the cluster of this project, if that is somebody else's."""
    from seatrial.app import shared_environments  # noqa: PLC0415

    try:
        project = context.project
    except UsageError:
        return []
    if project.cluster.provider != "existing":
        return []
    found = shared_environments.found_in(this, project, everybodys=True)
    return [
        _Row(
            cluster=str(project.cluster.context),
            namespace=each.name,
            project=each.project,
            made_by="elsewhere",
            state=f"{each.holder} works in it" if each.holder else _until(each.expires),
            policies=each.policies,
        )
        for each in found
    ]


def _until(moment: datetime) -> str:
    return f"kept until {moment.astimezone():%Y-%m-%d %H:%M}"


def _text(rows: list[_Row]) -> str:
    if not rows:
        return "no environments"
    table = [
        ("CLUSTER", "NAMESPACE", "MADE BY", "PROJECT", "STATE"),
        *((each.cluster, each.namespace or "-", each.made_by, each.project, each.state) for each in rows),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[4]]) for line in table
    )
