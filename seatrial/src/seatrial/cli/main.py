"""Entry point: the only place that ends the process or prints an error."""

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
from seatrial.cli.declaration import TaughtGroup
from seatrial.cli.errors import tell
from seatrial.cli.options import COLOR_CHOICES, Context
from seatrial.interruption import Terminated
from seatrial.model.errors import ExitCode, UsageError

__all__ = ["Terminated", "cli", "main", "run"]

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_BROKEN_PIPE = 128 + 13  # SIGPIPE, as a program that knows nothing of it ends; Windows has no such name


class _Commands(TaughtGroup):
    """Commands by name, imported when called, listed under headings."""

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
        ("seatrial init", "write seatrial.toml from what is found here"),
        ("seatrial run", "one run in a fresh cluster"),
        ("seatrial up", "the short loop: keep the cluster,"),
        ("seatrial test -k s3", "send only what changed"),
        ("seatrial run --help", "every command has its own examples"),
    ),
)
@click.option(
    "-C",
    "--project",
    metavar="DIR_OR_FILE",
    help="Project directory or configuration file. [default: the nearest seatrial.toml, or pyproject.toml with"
    " [tool.seatrial], from here upwards]",
)
@click.option("-s", "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set one value of the configuration.")
@click.option("-q", "--quiet", count=True, help="Only what went wrong, and the verdict.")
@click.option("-v", "--verbose", count=True, help="Say more while at it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result on stdout as one JSON document.")
@click.option("--color", type=click.Choice(COLOR_CHOICES), default="auto", show_default=True, help="Use colours.")
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
    """Run one command line and return what the process is to end with. Errors are printed to stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_encoding(arguments)
        code = cli.main(arguments, prog_name="seatrial", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort as abort:
        return _TERMINATED if isinstance(abort.__cause__, Terminated) else _INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Who read our output has seen enough; click would end with 1 then, which means failed tests here. Never 0
        # either: what was cut off may have been the verdict.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence: never a traceback
        return tell(error, arguments)
    return int(code or 0)


def main() -> NoReturn:
    """Run the command line of this process and end it."""
    protect()
    signal.signal(signal.SIGTERM, _terminate)
    code = run()
    if (lost := lost_output()) is not None:
        print(f"seatrial: stdout could not be written: {lost.strerror}", file=sys.stderr)
        # A cut-off result must not look like a good one.
        code = code or ExitCode.ENVIRONMENT
    sys.exit(code)


def _check_encoding(arguments: Sequence[str]) -> None:
    """Raise a UsageError for an argument that no record of the run could hold."""
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
