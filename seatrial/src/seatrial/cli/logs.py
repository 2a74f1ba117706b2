"""Command `seatrial logs`: print the logs of a service or of the runner."""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from seatrial.cli.declaration import env_option, namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import CommandFailed, ExitCode, UsageError

__all__ = ["command", "seconds"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Return the seconds of a duration: `90s`, `5m`, `2h` or `1d`.

    Raises:
        UsageError: the text is not a duration.
    """
    match = re.fullmatch(r"(\d+)([smhd]?)", text)
    if match is None:
        raise UsageError(f"--since {text!r} is not a duration", hint="90s, 5m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2] or "s"]


@plain_command(
    examples=(
        ("seatrial logs", "of all pods, one after the other"),
        ("seatrial logs web --tail 20", "of the pods of a service or workload"),
        ("seatrial logs runner -f", "pytest's output as it is printed"),
        ("seatrial logs -f --since 1m", "of all pods, also new and restarted ones, until Ctrl-C"),
        ("seatrial logs web --previous", "of the containers before their last restart"),
    )
)
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Print new lines until Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines of each container.")
@click.option("--since", metavar="DURATION", help="Only lines of the last 90s, 5m or 2h.")
@click.option("-c", "--container", metavar="NAME", help="Only this container of each pod.")
@click.option("--previous", is_flag=True, help="Of the container before its last restart.")
@env_option
@namespace_option
@click.pass_obj
def command(
    context: Context,
    *,
    name: str | None,
    follow: bool,
    tail: int | None,
    since: str | None,
    container: str | None,
    previous: bool,
) -> ExitCode:
    """Print the logs of a service or of the runner.

    NAME is a declared service, a Kubernetes Service, a workload, a pod, or `runner`; in Compose a service or `runner`.
    """
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.log_selection import RUNNER, select  # noqa: PLC0415
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415
    from seatrial.model.redaction import SECRETS  # noqa: PLC0415
    from seatrial.runner.decoder import decode_log  # noqa: PLC0415

    newer = seconds(since) if since else None
    if follow and previous:
        raise UsageError("--follow and --previous exclude each other", reason="a container that ended prints no more")
    this, project = machine(), context.project
    record = environments.require(this, project, context.namespace)
    if record.provider == "compose":
        if container or previous:
            option = "--container" if container else "--previous"
            raise UsageError(f"{option} requires Kubernetes", reason="a service of Compose has one container")
        return _compose_logs(context, name, follow=follow, tail=tail, since=newer)
    kube = environment(this, project, record).cluster.connect()
    namespaces = project.used_namespaces
    pods = [pod for namespace in namespaces for pod in kube.objects("v1/Pod", namespace)]
    selection, those = select(kube, project, pods, name, container)
    if follow:
        from seatrial.app.log_following import follow_logs  # noqa: PLC0415

        follow_logs(
            kube, namespaces, selection, tail=tail, since=newer, color=context.color(sys.stdout), alone=name == RUNNER
        )
        return ExitCode.PASSED
    containers = [(pod["metadata"], each) for pod in those for each in selection.containers(pod)]
    printed = False
    for meta, each in containers:
        text = kube.logs(meta["name"], meta["namespace"], each, tail=tail, since=newer, previous=previous)
        if text and len(containers) > 1:
            print(f"==> {meta['name']}/{each} <==", flush=True)
        print(decode_log(SECRETS.data(text)), end="", flush=True)
        printed = printed or bool(text)
    if not printed:
        context.say("no container was restarted" if previous else "the logs are empty")
    return ExitCode.PASSED


def _compose_logs(context: Context, name: str | None, *, follow: bool, tail: int | None, since: int | None) -> ExitCode:
    """Print the logs of containers of a Compose environment."""
    from seatrial.app import compose_inspection, environments  # noqa: PLC0415
    from seatrial.app.wiring import compose_environment, machine  # noqa: PLC0415
    from seatrial.model.redaction import SECRETS  # noqa: PLC0415
    from seatrial.readiness.container import container_name, service_of  # noqa: PLC0415
    from seatrial.runner.decoder import decode_log  # noqa: PLC0415

    this, project = machine(), context.project
    compose = compose_environment(this, environments.require(this, project)).compose
    containers = compose_inspection.select_containers(compose.containers(), project, name)
    printed = False
    if follow:
        for service, line in compose_inspection.follow_containers(compose, containers, tail=tail, since=since):
            start = f"{service} | " if len(containers) > 1 else ""
            print(f"{start}{decode_log(SECRETS.data(line))}", end="", flush=True)
        return ExitCode.PASSED
    for each in containers:
        try:
            text = compose.logs(container_name(each), tail=tail, since=since)
        except CommandFailed as error:
            context.say(f"the log of {service_of(each)} cannot be read: {error.reason}")
            continue
        if text and len(containers) > 1:
            print(f"==> {service_of(each)} <==", flush=True)
        print(decode_log(SECRETS.data(text)), end="", flush=True)
        printed = printed or bool(text)
    if not printed:
        context.say("the logs are empty")
    return ExitCode.PASSED
