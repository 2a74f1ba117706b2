"""All commands. Their modules are imported when called, so that `--help` is quick; hence the summaries here."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COMMANDS", "Entry", "Group"]

Group = str


class Entry(NamedTuple):
    """One command.

    Attributes:
        group: heading that it stands under in the help.
        summary: its line there; a test holds it equal to the command's own first line.
    """

    group: Group
    summary: str


RUN: Final[Group] = "Run tests"
KEEP: Final[Group] = "Keep an environment"
LOOK: Final[Group] = "Look into it"
SETUP: Final[Group] = "Set up"

COMMANDS: Final[dict[str, Entry]] = {
    "run": Entry(RUN, "Run the tests in a fresh cluster, bring the results home, remove the cluster."),
    "test": Entry(RUN, "Run the tests in the environment that `up` made; send only what changed."),
    "watch": Entry(RUN, "Run the tests again on every save, failed ones first."),
    "up": Entry(KEEP, "Bring the environment up, or up to date, and leave it up."),
    "down": Entry(KEEP, "Take the environment down."),
    "status": Entry(KEEP, "Say what is up, and whether it is up to date."),
    "list": Entry(KEEP, "List the environments of this machine."),
    "clean": Entry(KEEP, "Remove what dead or expired runs left behind."),
    "logs": Entry(LOOK, "Print the logs of a service or of the runner."),
    "env": Entry(LOOK, "Print exports, so that plain kubectl, helm and docker work against the cluster."),
    "debug": Entry(LOOK, "Run a shell or a command in a debug pod, with HTTP, DNS and SQL clients."),
    "diagnose": Entry(LOOK, "Say what is wrong in the environment, with evidence."),
    "render": Entry(LOOK, "Show a past run again from its directory."),
    "init": Entry(SETUP, "Write seatrial.toml from the files of the project."),
    "config": Entry(SETUP, "Show the configuration, its schema, and what is doubtful in it."),
    "doctor": Entry(SETUP, "Check this machine: tools, engine, limits, ports, what is stale."),
    "completion": Entry(SETUP, "Print the completion script of a shell."),
}
"""Name to entry; the command is `command` in `seatrial.cli.NAME`."""
