"""`seatrial run`."""

from __future__ import annotations

import click

from seatrial.cli.declaration import namespace_option, pytest_command
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial run", "everything, and nothing is left"),
        ("seatrial run -k s3 -x", "pytest's own options"),
        ("seatrial run --keep on-failure", "leave the cluster if something fails; seatrial test goes on in it"),
        ("seatrial run --namespace ci-1", "in a cluster that others use: beside them"),
        ("seatrial -q run --json", "the result as one JSON document"),
    )
)
@click.option(
    "--keep",
    type=click.Choice(("never", "on-failure", "always")),
    default="never",
    show_default=True,
    envvar="SEATRIAL_KEEP",
    help="Leave the cluster up afterwards.",
)
@namespace_option
@click.pass_obj
def command(context: Context, *, keep: str, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests in a fresh cluster, bring the results home, remove the cluster.

    What --keep leaves is up like after `seatrial up`; the next `seatrial run` replaces it.
    """
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this, project = machine(), context.project
    if context.namespace and project.cluster.provider == "kind":
        raise UsageError(
            "--namespace is for a cluster that others use too, and run makes one of its own",
            hint=f"seatrial up --namespace {context.namespace}",
        )
    record = environments.create(this, project, command="run", say=context.say, namespace=context.namespace)
    words = ("run", f"--keep={keep}", *pytest_args)
    ended = run_lifecycle.go(
        this, project, record, output=context.output, command=words, keep=keep, tests=True, pytest_args=pytest_args
    )
    return finish(context, ended)
