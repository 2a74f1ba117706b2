"""`seatrial logs`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from seatrial.cli.command import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from seatrial.model.spec import Project
    from seatrial.ports import Kube, Object

__all__ = ["Chosen", "chosen", "command", "containers_of", "seconds"]

_RUNNER: Final = "runner"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Chosen:
    """Which pods and containers are meant, now and later.

    Args:
        names: of pods or of what controls them; empty: all.
        selector: labels of the pods behind a Service; empty: there is none of that name.
        container: only this container; None: all.
    """

    def __init__(self, names: Collection[str], selector: Mapping[str, str], container: str | None) -> None:
        self._names = names
        self._selector = selector
        self._container = container

    def __call__(self, pod: Object) -> bool:
        """Whether a pod is meant."""
        from seatrial.readiness.snapshot import controller_of  # noqa: PLC0415 - keeps --help quick

        labels = pod["metadata"].get("labels") or {}
        return (
            not self._names
            or bool({pod["metadata"]["name"], controller_of(pod)[1]} & set(self._names))
            or bool(self._selector and self._selector.items() <= labels.items())
        )

    def containers(self, pod: Object) -> list[str]:
        """Return the names of the containers that are meant, in the order in which they start."""
        return [name for name in containers_of(pod) if self._container in (None, name)]


def seconds(text: str) -> int:
    """Return how many seconds `90s`, `5m`, `2h` or `1d` are.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"(\d+)([smhd]?)", text)
    if match is None:
        raise UsageError(f"--since {text!r} is no duration", hint="90s, 5m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2] or "s"]


@plain_command(
    examples=(
        ("seatrial logs", "everything, pod by pod"),
        ("seatrial logs web --tail 20", "the pods behind a service, or of a workload"),
        ("seatrial logs runner -f", "pytest's own output, while it comes"),
        ("seatrial logs -f --since 1m", "all that happens, new pods and restarts too, until Ctrl-C"),
        ("seatrial logs web --previous", "before the last restart"),
    )
)
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on while more comes, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines of each container.")
@click.option("--since", metavar="DURATION", help="Only what is newer: 90s, 5m, 2h.")
@click.option("-c", "--container", metavar="NAME", help="Only this container of each pod.")
@click.option("--previous", is_flag=True, help="Of the instance before the last restart.")
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

    NAME is a declared service, a Kubernetes Service, a workload, a pod, or `runner`.
    """
    from seatrial.cli import sessions  # noqa: PLC0415 - keeps --help quick
    from seatrial.cli.wiring import environment, machine  # noqa: PLC0415
    from seatrial.model.redaction import SECRETS  # noqa: PLC0415
    from seatrial.runner.decoder import decode_log  # noqa: PLC0415

    newer = seconds(since) if since else None
    if follow and previous:
        raise UsageError("--follow and --previous exclude each other", reason="what has ended says nothing more")
    this, project = machine(), context.project
    kube = environment(this, project, sessions.require(this, project, context.namespace)).cluster.connect()
    namespaces = project.used_namespaces
    pods = [pod for namespace in namespaces for pod in kube.objects("v1/Pod", namespace)]
    meant, those = chosen(kube, project, pods, name, container)
    if follow:
        from seatrial.cli.tailing import tail_all  # noqa: PLC0415

        tail_all(
            kube, namespaces, meant, tail=tail, since=newer, color=context.color(sys.stdout), alone=name == _RUNNER
        )
        return ExitCode.PASSED
    containers = [(pod["metadata"], each) for pod in those for each in meant.containers(pod)]
    printed = False
    for meta, each in containers:
        text = kube.logs(meta["name"], meta["namespace"], each, tail=tail, since=newer, previous=previous)
        if text and len(containers) > 1:
            print(f"==> {meta['name']}/{each} <==", flush=True)
        print(decode_log(SECRETS.data(text)), end="", flush=True)
        printed = printed or bool(text)
    if not printed:
        context.say("no container was restarted" if previous else "nothing has been printed")
    return ExitCode.PASSED


def containers_of(pod: Object) -> list[str]:
    """Return the names of all containers of a pod, in the order in which they start."""
    spec = pod["spec"]
    return [each["name"] for each in [*(spec.get("initContainers") or ()), *spec["containers"]]]


def chosen(
    kube: Kube, project: Project, pods: Sequence[Object], name: str | None, container: str | None
) -> tuple[Chosen, list[Object]]:
    """Return what is meant, and those of the pods.

    Raises:
        UsageError: nothing is called so.
    """
    from seatrial.readiness.snapshot import controller_of  # noqa: PLC0415 - keeps --help quick

    declared = project.service.get(name or "")
    place = (declared and declared.namespace) or project.runner.namespace
    names = [each for each in (name, declared and declared.name) if each]
    if name == _RUNNER:
        names, container = [project.runner.pod], container or "tests"
    service = kube.get("v1/Service", names[-1], place) if names else None
    meant = Chosen(names, ((service or {}).get("spec") or {}).get("selector") or {}, container)
    found = [pod for pod in pods if meant(pod)]
    if not found:
        names = sorted({controller_of(pod)[1] or pod["metadata"]["name"] for pod in pods})
        raise UsageError(
            f"nothing is called {name!r}" if name else "there are no pods",
            hint=f"one of: {', '.join(names)}, {_RUNNER}" if names else "seatrial status",
        )
    if not any(meant.containers(pod) for pod in found):
        there = sorted({each for pod in found for each in containers_of(pod)})
        raise UsageError(f"no container is called {container!r}", hint=f"one of: {', '.join(there)}")
    return meant, found
