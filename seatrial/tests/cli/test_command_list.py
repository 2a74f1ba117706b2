from __future__ import annotations

from typing import Any

import click
import pytest
from seatrial.cli.command_list import COMMANDS
from seatrial.cli.main import cli


def commands() -> list[tuple[str, click.Command]]:
    """Return all commands with their names, those of groups too."""
    found = []
    ctx = click.Context(cli)
    for name in cli.list_commands(ctx):
        command = cli.get_command(ctx, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", each) for inner, each in command.commands.items()]
    return found


def test_help_lists_every_command_under_its_heading(seatrial):
    said = seatrial("--help")

    assert said.code == 0
    assert said.err == ""
    assert cli.list_commands(click.Context(cli)) == list(COMMANDS)
    for name, entry in COMMANDS.items():
        assert any(line.split()[:1] == [name] for line in said.out.splitlines()), name
        assert f"\n{entry.group}:\n" in said.out


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_command_has_examples_and_its_summary(name, command):
    assert command.help
    assert command.examples, "a command without examples"
    if name in COMMANDS:
        assert command.help.splitlines()[0] == COMMANDS[name].summary
    for example, purpose in command.examples:
        assert "seatrial" in example
        assert purpose


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_example_parses(name, seatrial):
    """Each example's first seatrial call parses: no unknown command, no unknown option."""
    command: Any = dict(commands())[name]
    for example, _ in command.examples:
        words = example.partition("seatrial ")[2].split("|")[0].split(";")[0].split(">")[0].rstrip(')"').split()
        words = words[: words.index("--")] if "--" in words else words
        assert seatrial(*words, "--help").code == 0, example


def test_every_command_has_help(seatrial):
    for name, _ in commands():
        said = seatrial(*name.split(), "--help")
        assert said.code == 0
        assert said.out.startswith(f"Usage: seatrial {name}")
