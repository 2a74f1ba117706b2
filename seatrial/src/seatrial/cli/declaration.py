"""Build click commands: examples in the help, global options after the command name, options passed on to pytest.

A command is a function with a docstring whose first line is its summary in `command_list.COMMANDS`:

    @plain_command(examples=(("seatrial status --json", "for scripts"),))
    @click.pass_obj
    def command(ctx: Context) -> ExitCode:
        '''Show whether the environment is up, ready and up to date.'''
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from seatrial.cli.options import Context

__all__ = [
    "ExampleCommand",
    "ExampleGroup",
    "env_option",
    "namespace_option",
    "plain_command",
    "plain_group",
    "pytest_command",
]

_F = TypeVar("_F", bound=Callable[..., Any])

Examples = Sequence[tuple[str, str]]


class _WithExamples(click.Command):
    """A command whose help shows its examples, each a command line and its purpose, after the description."""

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(self.examples, col_max=44)


class ExampleCommand(_WithExamples):
    """A command with examples."""


class ExampleGroup(_WithExamples, click.Group):
    """A group of commands with examples."""

    command_class = ExampleCommand


def plain_command(*, examples: Examples = (), name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Turn a function into a command. The global options may follow its name: `seatrial status --json -C DIR`."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=ExampleCommand, examples=examples)(_global_options(function))

    return decorate


def plain_group(*, examples: Examples = (), name: str | None = None) -> Callable[[Callable[..., Any]], ExampleGroup]:
    """Turn a function into a group; create its commands with `plain_command` and add them with `add_command`."""

    def decorate(function: Callable[..., Any]) -> ExampleGroup:
        return click.group(name, cls=ExampleGroup, examples=examples)(function)

    return decorate


def pytest_command(
    *, examples: Examples = (), name: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Turn a function into a command that passes unknown arguments to pytest, in order, as the tuple `pytest_args`.

    Its own options must be long ones, because `-k`, `-x`, `-q`, `-v`, `-h` and the like are pytest's. Of the global
    options only `--set` and `--json` may follow its name.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        takes_rest = click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST OPTIONS]…")
        return click.command(
            name,
            cls=ExampleCommand,
            examples=examples,
            context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
        )(takes_rest(_set_option(_json_option(function))))

    return decorate


def _changes(name: str, change: Callable[[Any, Any], Any] = lambda _, new: new) -> Callable[..., None]:
    """Return a callback that changes one attribute of the Context if the option is given."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        del param
        if value:
            obj = ctx.ensure_object(Context)
            ctx.obj = replace(obj, **{name: change(getattr(obj, name), value)})

    return callback


def namespace_option(function: _F) -> _F:
    """Add `--namespace` to a command that uses an environment."""
    return click.option(
        "--namespace",
        metavar="NAME",
        expose_value=False,
        callback=_changes("namespace"),
        help="Use the environment with this name in a shared cluster.",
    )(function)


def env_option(function: _F) -> _F:
    """Add `--env` to a command that uses an environment of either kind."""
    return click.option(
        "--env",
        type=click.Choice(("kubernetes", "compose")),
        expose_value=False,
        callback=_changes("environment"),
        help="Kind of environment. [default: kubernetes, or `environment` in the configuration]",
    )(function)


def _set_option(function: _F) -> _F:
    # Without the short form: `-s` is pytest's.
    return click.option(
        "--set",
        metavar="KEY=VALUE",
        multiple=True,
        expose_value=False,
        callback=_changes("settings", lambda old, new: (*old, *((setting, "--set") for setting in new))),
        help="Set one value of the configuration.",
    )(function)


def _json_option(function: _F) -> _F:
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_changes("as_json"),
        help="Print the result on stdout as one JSON document.",
    )(function)


def _global_options(function: _F) -> _F:
    options = (
        click.option(
            "-C",
            "--project",
            metavar="DIR_OR_FILE",
            expose_value=False,
            callback=_changes("project_at"),
            help="Project directory or configuration file.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=_changes("quiet"),
            help="Print only errors and the result.",
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_changes("verbose", lambda old, new: old + new),
            help="Print more progress; may be given twice.",
        ),
        _set_option,
        _json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function
