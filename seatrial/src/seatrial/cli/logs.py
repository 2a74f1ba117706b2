"""`seatrial logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from seatrial.cli.command import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.model.spec import Project
    from seatrial.ports import Kube, Object

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial logs", "everything, pod by pod"),
        ("seatrial logs web --tail 20", "the pods behind a service, or of a workload"),
        ("seatrial logs runner", "pytest's own output"),
        ("seatrial logs web --previous", "before the last restart"),
    )
)
@click.argument("name", required=False)
@click.option("--tail", type=int, metavar="LINES", help="Only the last lines of each container.")
@click.option("--previous", is_flag=True, help="Of the instance before the last restart.")
@click.pass_obj
def command(context: Context, *, name: str | None, tail: int | None, previous: bool) -> ExitCode:
    """Print the logs of a service or of the runner.

    NAME is a declared service, a Kubernetes Service, a workload, a pod, or `runner`.
    """
    from seatrial.cli import sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import environment, machine  # noqa: PLC0415

    this, project = machine(), context.project
    kube = environment(this, project, sessions.require(this, project)).cluster.connect()
    pods = _pods(kube, project, name)
    containers = [(pod, each["name"]) for pod in pods for each in _containers(pod)]
    for pod, container in containers:
        meta = pod["metadata"]
        text = kube.logs(meta["name"], meta["namespace"], container, tail=tail, previous=previous)
        if text and len(containers) > 1:
            print(f"==> {meta['name']}/{container} <==", flush=True)
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    return ExitCode.PASSED


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]


def _pods(kube: Kube, project: Project, name: str | None) -> list[Object]:
    from seatrial.readiness.snapshot import controller_of  # noqa: PLC0415
    from seatrial.stages.collect import used_namespaces  # noqa: PLC0415

    pods = [pod for namespace in used_namespaces(project) for pod in kube.objects("v1/Pod", namespace)]
    if name is None:
        return pods
    if name == "runner":
        name = project.runner.pod
    declared = project.service.get(name)
    namespace = (declared and declared.namespace) or project.runner.namespace
    service = kube.get("v1/Service", (declared and declared.name) or name, namespace)
    selector = ((service or {}).get("spec") or {}).get("selector") or {}
    found = [
        pod
        for pod in pods
        if name in (pod["metadata"]["name"], controller_of(pod)[1])
        or (selector and selector.items() <= (pod["metadata"].get("labels") or {}).items())
    ]
    if not found:
        names = sorted({controller_of(pod)[1] or pod["metadata"]["name"] for pod in pods})
        raise UsageError(f"nothing is called {name!r}", try_=f"one of: {', '.join(names)}, runner")
    return found
