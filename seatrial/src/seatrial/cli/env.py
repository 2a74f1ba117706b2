"""Command `seatrial env`: print shell exports for kubectl and helm against the cluster."""

from __future__ import annotations

import shlex

import click

from seatrial.cli.declaration import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ('eval "$(seatrial env)"', "then use kubectl, helm and docker"),
        ("seatrial env --json", "for scripts"),
    )
)
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Print shell exports for kubectl and helm against the cluster.

    Your own kubeconfig and its current context do not change.
    """
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415

    this, project = machine(), context.project
    record = environments.require(this, project, context.namespace)
    env = environment(this, project, record)
    values = {
        "KUBECONFIG": str(env.cluster.kubeconfig),
        "HELM_KUBECONTEXT": env.cluster.context,
        "HELM_NAMESPACE": project.runner.namespace,
        "SEATRIAL_CLUSTER": record.cluster,
        "SEATRIAL_RUN_NAMESPACE": project.runner.namespace,
    }
    context.print_result(values, "\n".join(f"export {key}={shlex.quote(value)}" for key, value in values.items()))
    return ExitCode.PASSED
