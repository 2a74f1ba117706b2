"""`seatrial down`."""

from __future__ import annotations

import click

from seatrial.cli.declaration import namespace_option, plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial down", "the cluster, and all that is in it"),
        ("seatrial down --namespace pr-42", "this environment; the cluster and its other ones stay"),
    )
)
@namespace_option
@click.pass_obj
def command(context: Context) -> ExitCode:
    """Take the environment down.

    Of a cluster that seatrial did not make, only what it put there goes. The registry's volume stays: it is the cache
    that makes the next one quick. `seatrial clean --cache` removes it. What commands left that died goes, too.
    """
    from seatrial.app import environments, shared_environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import environment, machine  # noqa: PLC0415

    this, project, namespace = machine(), context.project, context.namespace
    with this.ledger.alone():
        died = environments.reap(this, this.clock.now(), context.say)
    if environments.find(this, project, namespace) is None:
        # Another machine may have made it: a job of CI, say.
        if namespace and shared_environments.remove(this, project, {namespace}, context.say):
            return ExitCode.PASSED
        if not died:
            context.say(
                f"there is no environment {namespace} of this project" if namespace else environments.NO_ENVIRONMENT
            )
        return ExitCode.PASSED
    record = environments.claim(this, project, namespace)
    if record.provider == "existing":
        # Updates the environment's copy of the kubeconfig: the user may have corrected it since.
        environment(this, project, record)
    others = [each.namespace for each in environments.guest_environments(this, record)]
    environments.remove(this, record)
    also = f", and with it {', '.join(others)}" if others else ""
    context.say(f"removed {namespace or 'what was made'} in {record.cluster}{also}")
    return ExitCode.PASSED
