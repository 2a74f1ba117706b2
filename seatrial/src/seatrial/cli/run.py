"""Command `seatrial run`: run the tests in a new cluster, collect the results, delete the cluster."""

from __future__ import annotations

import click

from seatrial.cli.declaration import env_option, namespace_option, pytest_command
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial run", "all tests; nothing is left afterwards"),
        ("seatrial run -k s3 -x", "options of pytest"),
        ("seatrial run --keep on-failure", "keep the cluster if the run fails, for seatrial test"),
        ("seatrial run --env compose", "the same tests in Docker Compose instead of Kubernetes"),
        ("seatrial run --namespace ci-1", "in namespaces of its own in a shared cluster"),
        ("seatrial -q run --json", "the result as one JSON document"),
    )
)
@click.option(
    "--keep",
    type=click.Choice(("never", "on-failure", "always")),
    default="never",
    show_default=True,
    envvar="SEATRIAL_KEEP",
    help="Keep the environment afterwards.",
)
@env_option
@namespace_option
@click.pass_obj
def command(context: Context, *, keep: str, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests in a new cluster, collect the results, delete the cluster.

    With `--env compose`, the tests run in a container beside the services of `[compose] file`, without host ports.

    An environment that --keep leaves is used as after `seatrial up`; the next `seatrial run` replaces it.
    """
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this, project = machine(), context.project
    if context.namespace and project.cluster.provider == "kind":
        raise UsageError(
            "--namespace requires a shared cluster, and run creates a cluster of its own",
            hint=f"seatrial up --namespace {context.namespace}",
        )
    record = environments.create(this, project, command="run", say=context.say, namespace=context.namespace)
    words = ("run", f"--keep={keep}", *pytest_args)
    ended = run_lifecycle.run_in_environment(
        this,
        project,
        record,
        output=context.output,
        command=words,
        selection=context.selection,
        keep=keep,
        tests=True,
        pytest_args=pytest_args,
    )
    return finish(context, ended)
