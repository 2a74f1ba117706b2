"""Command `seatrial doctor`: check this machine: tools, Docker Compose, engine, limits, ports and leftovers."""

from __future__ import annotations

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial doctor", "before the first run, or after a failure of the platform"),
        ("seatrial doctor --json", "for a bug report"),
        ("seatrial -q doctor", "only warnings and problems"),
    )
)
@click.pass_obj
def command(ctx: Context) -> ExitCode:
    """Check this machine: tools, Docker Compose, engine, limits, ports and leftovers.

    The exit code is 4 if a problem prevents runs.
    """
    from seatrial.app.doctor_checks import checks, summary  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.doctor_facts import gather  # noqa: PLC0415

    found = checks(gather(lambda: ctx.loaded))
    count = summary(found)
    shown = [check for check in found if not ctx.quiet or check.level != "ok"]
    ctx.print_result(
        {
            "checks": [{"level": c.level, "about": c.about, "message": c.message, "try": c.hint} for c in found],
            "summary": count,
        },
        "\n".join([*map(str, shown), f"{count['ok']} ok, {count['warning']} warnings, {count['problem']} problems"]),
    )
    return ExitCode.USAGE if count["problem"] else ExitCode.PASSED
