"""`seatrial test`."""

from __future__ import annotations

import click

from seatrial.cli.declaration import namespace_option, pytest_command
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command", "run_once"]


def run_once(context: Context, pytest_args: tuple[str, ...], *, explain: bool = False) -> ExitCode:
    """Bring the kept environment up to date and run the tests in it.

    Args:
        context: the command line.
        pytest_args: what the user added for pytest.
        explain: tell of each file that changed what that means.

    Raises:
        SeatrialError: what stopped the run.
    """
    from seatrial.app import environments, run_lifecycle  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this = machine()
    record = environments.claim(this, context.project, context.namespace)
    words = ("test", *pytest_args)
    ended = run_lifecycle.go(
        this,
        context.project,
        record,
        output=context.output,
        command=words,
        keep="always",
        tests=True,
        explain=explain,
        pytest_args=pytest_args,
    )
    return finish(context, ended)


@pytest_command(
    examples=(
        ("seatrial test", "all of them"),
        ("seatrial test -k s3 -x", "pytest's own options"),
        ("seatrial test --lf", "what failed last time"),
        ("seatrial test --pdb", "a debugger where it fails"),
        ("seatrial test --explain", "which file is sent, or rebuilds the image, and why"),
    )
)
@click.option("--explain", is_flag=True, help="Tell of each file that changed what that means.")
@namespace_option
@click.pass_obj
def command(context: Context, *, explain: bool, pytest_args: tuple[str, ...]) -> ExitCode:
    """Run the tests in the environment that `up` made; send only what changed."""
    return run_once(context, pytest_args, explain=explain)
