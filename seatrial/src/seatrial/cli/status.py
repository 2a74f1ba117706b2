"""Command `seatrial status`: show whether the environment is up, ready and up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import click

from seatrial.cli.declaration import env_option, namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

if TYPE_CHECKING:
    from seatrial.app.environment_status import EnvironmentStatus
    from seatrial.ports import ClusterState

__all__ = ["command"]

_HINTS: Final = {
    "gone": "seatrial up creates a new one",
    "stopped": "seatrial up or seatrial test starts it",
    "paused": "seatrial up or seatrial test starts it",
    "running": "seatrial up waits for it; if it still does not answer: seatrial down, then seatrial up",
}


@plain_command(
    examples=(
        ("seatrial status", "for people"),
        ("seatrial status --json | jq -r '.workloads[] | select(.ready | not) | .name'", "for scripts"),
    )
)
@env_option
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Show whether the environment is up, ready and up to date."""
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.environment_status import EnvironmentStatus, environment_status  # noqa: PLC0415
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this, project = machine(), context.project
    if project.environment == "compose":
        from seatrial.app.compose_inspection import compose_status  # noqa: PLC0415

        record = environments.find(this, project)
        status = compose_status(this, project, record) if record else EnvironmentStatus(up=False, state="down")
    else:
        status = environment_status(this, project, context.namespace)
    context.print_result(status, lambda: _text(status))
    return ExitCode.PASSED


def _text(status: EnvironmentStatus) -> str:
    record, runner = status.environment, status.runner
    if record is None:
        return "no environment is up; seatrial up creates one"
    if record.provider == "compose" and runner is None:
        return f"project  {record.cluster} has no containers; seatrial up creates them again"
    if runner is None:
        from seatrial.cluster_checks.revive import describe_state  # noqa: PLC0415 - keeps --help quick

        state = describe_state(cast("ClusterState", status.state))
        return f"cluster  {record.cluster} does not answer: {state}; {_HINTS[status.state]}"
    place = f"cluster  {record.cluster} ({record.provider}, Kubernetes {status.kubernetes})"
    if record.provider == "compose":
        place = f"project  {record.cluster} (Docker Compose)"
    lines = [
        place + (f", environment {record.namespace}" if record.namespace else ""),
        f"expires  {record.expires.astimezone():%Y-%m-%d %H:%M}, or a day after its last use",
    ]
    for release in status.releases:
        how = f"{release.status}, revision {release.revision}" if release.status else "not installed"
        lines.append(f"release  {release.namespace}/{release.name}: {how}")
    lines.append(f"runner   {runner.pod}: {runner.state}; the next test will {runner.next}")
    width = max((len(each.name) for each in status.workloads), default=0)
    for each in status.workloads:
        state = "ready" if each.ready else f"waits for {each.waits_for}"
        stands = [status.stand_ins[image] for image in each.images if image in status.stand_ins]
        lines.append(f"  {each.name:<{width}}  {state}" + (f" (stands in for {', '.join(stands)})" if stands else ""))
    return "\n".join(lines)
