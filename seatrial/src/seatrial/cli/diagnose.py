"""Command `seatrial diagnose`: find problems in the environment, with evidence."""

from __future__ import annotations

import click

from seatrial.cli.declaration import env_option, namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial diagnose", "the likeliest cause first, with evidence"),
        ("seatrial diagnose --json", "for scripts; exit code 10 if there are findings"),
    )
)
@env_option
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Find problems in the environment, with evidence."""
    from seatrial.app import environments, problems  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415

    this, project = machine(), context.project
    record = environments.require(this, project, context.namespace)
    if record.provider == "compose":
        from seatrial.app.compose_inspection import compose_problems  # noqa: PLC0415

        found = compose_problems(this, record)
    else:
        found = problems.find_problems(environment(this, project, record).cluster.connect(), project)
    context.print_result(found, lambda: "\n".join(map(_text, found)) if found else "no problems found")
    return ExitCode.ENVIRONMENT if found else ExitCode.PASSED


def _text(finding: Finding) -> str:
    lines = [f"{finding.subject}: {finding.cause}: {finding.message}"]
    lines += [f"  | {line}" for line in finding.evidence]
    lines += [f"  leads to {line}" for line in finding.leads_to]
    if finding.hint:
        lines.append(f"  hint: {finding.hint}")
    return "\n".join(lines)
