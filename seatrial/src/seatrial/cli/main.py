"""Entry point of `seatrial`: run a command, print its error and end the process with its exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from seatrial import __version__
from seatrial.app.standard_streams import lost_output, protect
from seatrial.cli.command_list import COMMANDS
from seatrial.cli.declaration import ExampleGroup
from seatrial.cli.errors import tell
from seatrial.cli.options import COLOR_CHOICES, Context
from seatrial.interruption import Terminated
from seatrial.model.errors import ExitCode, UsageError

__all__ = ["Terminated", "cli", "main", "run"]

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_BROKEN_PIPE = 128 + 13  # SIGPIPE, which Windows does not define


class _Commands(ExampleGroup):
    """Import commands when they are called, and list them under headings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"seatrial.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [(name, COMMANDS[name]) for name in self.list_commands(ctx)]
        for group in dict.fromkeys(entry.group for _, entry in shown):
            with formatter.section(group):
                formatter.write_dl([(name, entry.summary) for name, entry in shown if entry.group == group])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [ARGUMENTS]…",
    examples=(
        ("seatrial init", "write seatrial.toml from the files of this project"),
        ("seatrial run", "run the tests once in a new cluster"),
        ("seatrial up", "keep a cluster for repeated runs"),
        ("seatrial test -k s3", "run tests in it; send only changed files"),
        ("seatrial run --help", "help and examples of one command"),
    ),
)
@click.option(
    "-C",
    "--project",
    metavar="DIR_OR_FILE",
    help="Project directory or configuration file. [default: the nearest seatrial.toml, or pyproject.toml with"
    " [tool.seatrial], in this directory or above]",
)
@click.option("-s", "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set one value of the configuration.")
@click.option("-q", "--quiet", count=True, help="Print only errors and the result.")
@click.option("-v", "--verbose", count=True, help="Print more progress; may be given twice.")
@click.option("--json", "as_json", is_flag=True, help="Print the result on stdout as one JSON document.")
@click.option("--color", type=click.Choice(COLOR_CHOICES), default="auto", show_default=True, help="Use colors.")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    *,
    project: str | None,
    settings: tuple[str, ...],
    quiet: int,
    verbose: int,
    as_json: bool,
    color: str,
) -> None:
    """Run a pytest suite inside an ephemeral Kubernetes cluster, against the Helm charts of production."""
    ctx.obj = Context(
        project_at=project,
        settings=tuple((setting, "--set") for setting in settings),
        quiet=quiet > 0,
        verbose=verbose,
        as_json=as_json,
        color_choice=color,
    )


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit code of the process. Errors are printed to stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_encoding(arguments)
        code = cli.main(arguments, prog_name="seatrial", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort as abort:
        return _TERMINATED if isinstance(abort.__cause__, Terminated) else _INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # The reader of the output closed it. click would return 1, which means failed tests. 0 would be wrong too:
        # the verdict may have been cut off.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - print a report instead of a traceback
        return tell(error, arguments)
    return int(code or 0)


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    protect()
    signal.signal(signal.SIGTERM, _terminate)
    code = run()
    if (lost := lost_output()) is not None:
        print(f"seatrial: stdout could not be written: {lost.strerror}", file=sys.stderr)
        # An incomplete result must not look like a good one.
        code = code or ExitCode.ENVIRONMENT
    sys.exit(code)


def _check_encoding(arguments: Sequence[str]) -> None:
    """Raise a UsageError for an argument that is not UTF-8: the records of a run cannot hold it."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"argument {argument!a} is not valid UTF-8", hint="rename the file, or pass the argument in UTF-8"
            ) from None


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    raise Terminated
