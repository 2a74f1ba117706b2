"""`seatrial status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import msgspec

from seatrial.cli.declaration import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

if TYPE_CHECKING:
    from seatrial.app.environment_status import ReleaseStatus, RunnerStatus, WorkloadStatus
    from seatrial.model.environment_record import EnvironmentRecord

__all__ = ["command"]

_REMEDIES: Final = {
    "gone": "seatrial up makes a new one",
    "stopped": "seatrial up or seatrial test wakes it",
    "paused": "seatrial up or seatrial test wakes it",
    "running": "seatrial up waits for it; if that does not help: seatrial down, then seatrial up",
}


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed. `state`: up, down, or what the machines of a cluster do that is silent: stopped, say."""

    up: bool
    state: str = "up"
    environment: EnvironmentRecord | None = None
    kubernetes: str = ""
    releases: tuple[ReleaseStatus, ...] = ()
    workloads: tuple[WorkloadStatus, ...] = ()
    runner: RunnerStatus | None = None
    stand_ins: dict[str, str] = {}


@plain_command(
    examples=(
        ("seatrial status", "for people"),
        ("seatrial status --json | jq -r '.workloads[] | select(.ready | not) | .name'", "for scripts"),
    )
)
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Say what is up, and whether it is up to date."""
    from seatrial.app import environment_status, environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415
    from seatrial.cluster_checks.revive import ANSWER_SECONDS, describe_state  # noqa: PLC0415

    this, project = machine(), context.project
    record = environments.find(this, project, context.namespace)
    if record is None:
        context.print_result(_Status(up=False, state="down"), "nothing is up; seatrial up brings it up")
        return ExitCode.PASSED
    env = environment(this, project, record)
    kube = env.cluster.connect()
    if not kube.answers(ANSWER_SECONDS):
        state = env.cluster.state()
        asleep = f"cluster  {record.cluster} does not answer: {describe_state(state)}; {_REMEDIES[state]}"
        context.print_result(_Status(up=False, state=state, environment=record), asleep)
        return ExitCode.PASSED
    workloads = environment_status.workload_statuses(kube, project.used_namespaces)
    images = [image for workload in workloads for image in workload.images]
    labelled = {
        reference: image.labels.get("dev.seatrial.stands-in-for", "")
        for reference, image in env.images.inspect(list(dict.fromkeys(images))).items()
    }
    status = _Status(
        up=True,
        environment=record,
        kubernetes=kube.version(),
        releases=tuple(environment_status.release_statuses(kube, project)),
        workloads=tuple(workloads),
        runner=environment_status.runner_status(kube, project, env),
        stand_ins={reference: stands for reference, stands in labelled.items() if stands},
    )
    context.print_result(status, lambda: _text(status))
    return ExitCode.PASSED


def _text(status: _Status) -> str:
    record, runner = status.environment, status.runner
    assert record is not None  # noqa: S101
    assert runner is not None  # noqa: S101
    lines = [
        f"cluster  {record.cluster} ({record.provider}, Kubernetes {status.kubernetes})"
        + (f", environment {record.namespace}" if record.namespace else ""),
        f"until    {record.expires.astimezone():%Y-%m-%d %H:%M}, or a day after its last use",
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
