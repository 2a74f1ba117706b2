from __future__ import annotations

import io
import json

import click
import pytest
from seatrial.cli.declaration import plain_command, plain_group, pytest_command
from seatrial.cli.options import Context
from seatrial.model.errors import UsageError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "stream", "colored"),
    [
        ("auto", {}, Terminal(), True),
        ("auto", {}, io.StringIO(), False),
        ("auto", {"TERM": "dumb"}, Terminal(), False),
        ("auto", {"NO_COLOR": "1"}, Terminal(), False),
        ("auto", {"NO_COLOR": ""}, Terminal(), True),
        ("auto", {"FORCE_COLOR": "1"}, io.StringIO(), True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, io.StringIO(), False),
        ("always", {"NO_COLOR": "1"}, io.StringIO(), True),
        ("never", {"FORCE_COLOR": "1"}, Terminal(), False),
    ],
)
def test_color_follows_option_variables_and_terminal(monkeypatch, choice, environ, stream, colored):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert Context(color_choice=choice).color(stream) is colored


def parse(command: click.Command, *argv: str):
    """Return what a command's function was called with."""
    with click.Context(click.Group("seatrial"), obj=Context(quiet=True)) as parent:
        return command.main(argv, standalone_mode=False, parent=parent, prog_name="x")


def test_global_options_may_follow_the_command():
    @plain_command()
    @click.pass_obj
    def command(ctx: Context):
        return ctx

    ctx = parse(command, "-C", "elsewhere", "--json", "-vv")
    assert (ctx.project_at, ctx.as_json, ctx.verbose, ctx.quiet) == ("elsewhere", True, 2, True)
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


def test_print_result_writes_text_or_json(capsys, tmp_path):
    Context().print_result({"a": 1}, "text\n")
    Context().print_result({"a": 1}, lambda: "lazy")
    Context(as_json=True).print_result({"path": tmp_path, "list": (1, None)}, "text")
    out = capsys.readouterr().out

    text, _, rest = out.partition("lazy\n")
    assert text == "text\n"
    assert json.loads(rest) == {"path": str(tmp_path), "list": [1, None]}
    with pytest.raises(NotImplementedError):
        Context(as_json=True).print_result(object(), "")


def test_say_writes_to_stderr(capsys):
    Context().say("hello")
    Context(quiet=True).say("silence")

    assert capsys.readouterr() == ("", "hello\n")


def test_out_is_stdout_or_stderr_with_json(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)

    assert Context().out is out
    assert Context(as_json=True).out is err


def test_configuration_is_read_once_on_access(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ctx = Context()
    with pytest.raises(UsageError):
        _ = ctx.project
    (tmp_path / "seatrial.toml").write_text('[runner]\nimage = "x:1"\n')

    assert ctx.loaded is ctx.loaded


def test_sinks_are_the_event_file_and_one_renderer(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    sinks = Context().sinks(tmp_path)
    for sink in sinks:
        sink.close()

    assert [type(sink).__name__ for sink in sinks] == ["JsonLines", "Plain"]
    assert (tmp_path / "events.jsonl").exists()


def test_group_help_has_examples():
    @plain_group(examples=(("seatrial things show", "see them"),))
    def command() -> None:
        """Handle things."""

    with click.Context(command) as ctx:
        help_text = command.get_help(ctx)
    assert "Examples:\n  seatrial things show  see them" in help_text
