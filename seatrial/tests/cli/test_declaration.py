from __future__ import annotations

import click
import pytest
from seatrial.cli.declaration import plain_command, plain_group, pytest_command
from seatrial.cli.options import Context


def parse(command: click.Command, *argv: str):
    """Return what a command's function was called with."""
    with click.Context(click.Group("seatrial"), obj=Context(quiet=True)) as parent:
        return command.main(argv, standalone_mode=False, parent=parent, prog_name="x")


def test_global_options_may_follow_the_command():
    @plain_command()
    @click.pass_obj
    def command(ctx: Context):
        return ctx

    ctx = parse(command, "-C", "elsewhere", "--json", "-vv", "--set", "a.b=1")
    assert (ctx.project_at, ctx.as_json, ctx.verbose, ctx.quiet) == ("elsewhere", True, 2, True)
    assert ctx.settings == (("a.b=1", "--set"),)
    assert parse(command) == Context(quiet=True)


@pytest.mark.parametrize(
    "argv",
    [
        ["-k", "s3 and not slow", "-x"],
        ["tests/test_a.py::test_b[ü/1 x]", "-vv", "-q"],
        ["--lf", "--cov-fail-under=5", "-p", "no:cacheprovider", "-n", "2", "-h"],
        ["-k", "-x"],
        ["--junitxml", "out.xml", "-m", "smoke"],
        ["-rA", "-o", "addopts=", "--color=yes", "-C"],
        ["tests", "--deselect", "tests/a.py", "pkg"],
    ],
)
def test_pytest_command_passes_unknown_arguments_in_order(argv):
    @pytest_command()
    @click.option("--keep")
    @click.pass_obj
    def command(ctx: Context, *, keep: str | None, pytest_args: tuple[str, ...]):
        return ctx.as_json, keep, pytest_args

    assert parse(command, *argv) == (False, None, tuple(argv))
    middle = len(argv) // 2 if "-k" not in argv else 0
    mixed = [*argv[:middle], "--keep", "always", *argv[middle:], "--json"]
    if argv[middle - 1 : middle] not in (["-p"], ["-o"], ["-n"], ["--junitxml"]):
        assert parse(command, *mixed) == (True, "always", tuple(argv))


def test_settings_may_follow_the_name_of_a_pytest_command():
    @pytest_command()
    @click.pass_obj
    def command(ctx: Context, *, pytest_args: tuple[str, ...]):
        return ctx.settings, pytest_args

    given = parse(command, "--set", "timeouts.test=5", "-s", "--setup-show", "--set=runner.pod=it")

    assert given == ((("timeouts.test=5", "--set"), ("runner.pod=it", "--set")), ("-s", "--setup-show"))


def test_group_help_has_examples():
    @plain_group(examples=(("seatrial things show", "see them"),))
    def command() -> None:
        """Handle things."""

    with click.Context(command) as ctx:
        help_text = command.get_help(ctx)
    assert "Examples:\n  seatrial things show  see them" in help_text
