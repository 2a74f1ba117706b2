"""Run a command in a debug pod: `seatrial debug`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from seatrial.app import environments
from seatrial.app.wiring import Machine, environment
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import Project
from seatrial.pod.agent.wire import CLIENTS_DIRECTORY
from seatrial.ports import StreamBroken
from seatrial.runner_pod.debug_pod import CONTAINER, debug_pod

__all__ = ["run_in_debug_pod", "with_clients_on_path"]

_START_SECONDS: Final = 120.0
_SHELL: Final = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")


def run_in_debug_pod(
    this: Machine,
    project: Project,
    namespace: str,
    argv: Sequence[str],
    *,
    image: str,
    terminal: bool,
    say: Callable[[str], None],
) -> int:
    """Create a debug pod, run a command in it, delete the pod, and return the exit code of the command.

    Args:
        this: the machine.
        project: the project.
        namespace: name of a guest environment; empty: the project's own environment.
        argv: the command; empty: a shell.
        image: image of the pod; empty: the runner's, with seatrial's clients.
        terminal: connect the command to the terminal of this process.
        say: prints a line for the user.

    Raises:
        EnvironmentFailed: there is no runner pod, or the connection was cut.
        UsageError: there is no environment.
    """
    kube = environment(this, project, environments.require(this, project, namespace)).cluster.connect()
    spec = project.runner
    runner = kube.get("v1/Pod", spec.pod, spec.namespace)
    if runner is None:
        raise EnvironmentFailed(f"runner pod {spec.pod} not found", hint="seatrial up")
    with debug_pod(kube, runner, image, Deadline.after(_START_SECONDS)) as name:
        if not argv:
            say(f"pod {name} in {spec.namespace}{'' if image else '; http, dns and sql are on its PATH'}")
        pod = kube.exec(name, spec.namespace)
        command = tuple(argv) or _SHELL
        try:
            run = pod.attach if terminal else pod.relay
            return run(command if image else with_clients_on_path(command), container=CONTAINER)
        except StreamBroken as broken:
            raise EnvironmentFailed(
                f"the connection to pod {name} was cut", reason=str(broken), hint="run seatrial debug again"
            ) from broken


def with_clients_on_path(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command that waits for seatrial's clients in the debug pod and appends them to PATH."""
    # If the clients are never written, the container has ended, and this command with it.
    wait = f"until [ -d {CLIENTS_DIRECTORY} ]; do sleep 0.1; done"
    return ("sh", "-c", f'{wait}; PATH="$PATH:{CLIENTS_DIRECTORY}"; export PATH; exec "$@"', "sh", *argv)
