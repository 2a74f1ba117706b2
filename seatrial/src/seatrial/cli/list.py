"""`seatrial list`."""

from __future__ import annotations

import click
import msgspec

from seatrial.cli.command import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    cluster: str
    project: str
    made_by: str
    state: str
    session: str


@plain_command(
    examples=(
        ("seatrial list", "of all projects of this user"),
        ("seatrial list --json", "for scripts"),
    )
)
@click.pass_obj
def command(context: Context) -> ExitCode:
    """List the environments of this machine."""
    from seatrial.cli.wiring import machine  # noqa: PLC0415 - keeps --help quick

    this = machine()
    now = this.clock.now()
    rows = []
    for session in this.ledger.sessions():
        if not this.ledger.claim(session.session):
            state = "in use"
        else:
            this.ledger.release(session.session)
            state = "dead: the next command removes it"
            if session.kept and session.expires > now:
                state = f"kept until {session.expires.astimezone():%Y-%m-%d %H:%M}"
            elif session.kept:
                state = "expired: the next command removes it"
        rows.append(
            _Row(
                cluster=session.cluster,
                project=session.project,
                made_by=session.command,
                state=state,
                session=session.session,
            )
        )
    context.print_result(rows, lambda: _text(rows))
    return ExitCode.PASSED


def _text(rows: list[_Row]) -> str:
    if not rows:
        return "no environments"
    table = [
        ("CLUSTER", "MADE BY", "PROJECT", "STATE"),
        *((each.cluster, each.made_by, each.project, each.state) for each in rows),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3]]) for line in table
    )
