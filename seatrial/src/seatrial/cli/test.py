"""Command `seatrial test`: run the tests in the environment that `up` created; send only changed files."""

from __future__ import annotations

import click

from seatrial.cli.declaration import env_option, namespace_option, pytest_command
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command", "run_once"]


def run_once(
    context: Context, pytest_args: tuple[str, ...], *, explain: bool = False, discard: bool = False
) -> ExitCode:
    """Bring the kept environment up to date and run the tests in it.

    Args:
        context: the command line.
        pytest_args: arguments for pytest.
        explain: print the consequence of each changed file.
        discard: delete files in the pod that earlier runs created there.

    Raises:
        SeatrialError: the run was stopped.
    """
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this = machine()
    record = environments.claim(this, context.project, context.namespace)
    words = ("test", *pytest_args)
    ended = run_lifecycle.run_in_environment(
        this,
        context.project,
        record,
        output=context.output,
        command=words,
        keep="always",
        tests=True,
        explain=explain,
        discard=discard,
        selection=context.selection,
        pytest_args=pytest_args,
    )
    return finish(context, ended)


@pytest_command(
    examples=(
        ("seatrial test", "all tests"),
        ("seatrial test -k s3 -x", "options of pytest"),
        ("seatrial test --lf", "tests that failed in the last run"),
        ("seatrial test --pdb", "a debugger in the pod where a test fails"),
        ("seatrial test --explain", "which files are sent or rebuild the image, and why"),
        ("seatrial test --discard", "without the files that earlier runs left in the pod"),
    )
)
@click.option("--explain", is_flag=True, help="Print the consequence of each changed file: sent, or image rebuilt.")
@click.option("--discard", is_flag=True, help="First delete the files that earlier runs created in the pod.")
@env_option
@namespace_option
@click.pass_obj
def command(context: Context, *, explain: bool, discard: bool, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests in the environment that `up` created; send only changed files."""
    return run_once(context, pytest_args, explain=explain, discard=discard)
