"""Command `seatrial up`: create the environment or bring it up to date, and keep it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from seatrial.cli.declaration import env_option, namespace_option, plain_command
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

if TYPE_CHECKING:
    from seatrial.app.wiring import Machine
    from seatrial.model.environment_record import EnvironmentRecord

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial up", "then seatrial test, as often as you like"),
        ("seatrial up", "again, after a change of a chart or image: only the change is applied"),
        ("seatrial up --namespace pr-42", "one more environment in the same cluster"),
    )
)
@env_option
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Create the environment or bring it up to date, and keep it.

    `seatrial down` removes it; otherwise any command does, a day after its last use.

    With --namespace it is one of several environments in a cluster, with its own releases, a quota, no host ports, and
    network policies that separate it from the others.
    """
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this = machine()
    is_guest = bool(context.namespace) and context.project.cluster.provider == "kind"
    host = _host(context, this) if is_guest else None
    record = environments.find_or_create(this, context.project, say=context.say, namespace=context.namespace, host=host)
    ended = run_lifecycle.run_in_environment(
        this,
        context.project,
        record,
        output=context.output,
        command=("up",),
        selection=context.selection,
        keep="always",
        tests=False,
    )
    return finish(context, ended)


def _host(context: Context, this: Machine) -> EnvironmentRecord:
    """Return the environment with the project's kind cluster, created if it does not exist."""
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415

    plain = replace(context, namespace="", as_json=False)
    found = environments.find(this, plain.project)
    if found is None or not this.kind(found).exists():
        record = environments.find_or_create(this, plain.project, say=context.say)
        ended = run_lifecycle.run_in_environment(
            this,
            plain.project,
            record,
            output=plain.output,
            command=("up", "(the cluster)"),
            selection=plain.selection,
            keep="always",
            tests=False,
            only_cluster=True,
        )
        finish(plain, ended)
        found = environments.require(this, plain.project)
    return found
