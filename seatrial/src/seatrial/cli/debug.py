"""`seatrial debug`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from seatrial.cli.declaration import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import EnvironmentFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command", "inside"]

_PATIENCE: Final = 120.0
_SHELL: Final = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")


@plain_command(
    examples=(
        ("seatrial debug", "a shell, where the tests run"),
        ("seatrial debug -- http web:8080/stock", "one question by HTTP"),
        ("seatrial debug -- dns web.shop", "each name that is tried, and its answer"),
        ('seatrial debug -- sql DATABASE_URI "SELECT 1"', "a variable of the tests, or a URL"),
        ("seatrial debug --image busybox:1.37", "with tools of your own"),
    )
)
@click.argument("argv", nargs=-1, metavar="[-- COMMAND…]")
@click.option("--image", metavar="IMAGE", default="", help="Another image, as a pod names it; it needs `sleep`.")
@namespace_option
@click.pass_obj
def command(context: Context, *, argv: tuple[str, ...], image: str) -> int:
    """Run a shell or a command in a debug pod, with HTTP, DNS and SQL clients.

    The debug pod has the image, labels, variables, Secrets and rights of the runner pod, so it reaches what the tests
    reach. It is deleted when the command ends. The exit code is that of the command.
    """
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415
    from seatrial.model.deadline import Deadline  # noqa: PLC0415
    from seatrial.ports import StreamBroken  # noqa: PLC0415
    from seatrial.runner_pod.debug_pod import CONTAINER, debug_pod  # noqa: PLC0415

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not argv and not terminal:
        raise UsageError("a shell needs a terminal", hint="seatrial debug -- COMMAND")
    this, project = machine(), context.project
    kube = environment(this, project, environments.require(this, project, context.namespace)).cluster.connect()
    spec = project.runner
    runner = kube.get("v1/Pod", spec.pod, spec.namespace)
    if runner is None:
        raise EnvironmentFailed(f"runner pod {spec.pod} not found", hint="seatrial up")
    with debug_pod(kube, runner, image, Deadline.after(_PATIENCE)) as name:
        if not argv:
            context.say(f"pod {name} in {spec.namespace}{'' if image else '; http, dns and sql are on its PATH'}")
        pod = kube.exec(name, spec.namespace)
        try:
            run = pod.attach if terminal else pod.relay
            return run(inside(argv or _SHELL, own=not image), container=CONTAINER)
        except StreamBroken as broken:
            raise EnvironmentFailed(
                f"the connection to pod {name} was cut", reason=str(broken), hint="run seatrial debug again"
            ) from broken


def inside(argv: Sequence[str], *, own: bool) -> tuple[str, ...]:
    """Return the command for the debug pod; with `own`, seatrial's clients are appended to PATH."""
    from seatrial.pod.agent.wire import CLIENTS_DIRECTORY  # noqa: PLC0415 - keeps --help quick

    if not own:
        return tuple(argv)
    # If the clients are never written, the container has ended, and this command with it.
    wait = f"until [ -d {CLIENTS_DIRECTORY} ]; do sleep 0.1; done"
    return ("sh", "-c", f'{wait}; PATH="$PATH:{CLIENTS_DIRECTORY}"; export PATH; exec "$@"', "sh", *argv)
