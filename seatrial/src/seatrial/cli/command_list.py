"""All commands with their summaries: `--help` lists them without importing their modules."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COMMANDS", "Entry", "Group"]

Group = str


class Entry(NamedTuple):
    """One command.

    Attributes:
        group: its heading in the help.
        summary: its line in the help; a test compares it with the first line of the command's docstring.
    """

    group: Group
    summary: str


RUN: Final[Group] = "Run tests"
KEEP: Final[Group] = "Keep an environment"
INSPECT: Final[Group] = "Inspect it"
SETUP: Final[Group] = "Set up"

COMMANDS: Final[dict[str, Entry]] = {
    "run": Entry(RUN, "Run the tests in a new cluster, collect the results, delete the cluster."),
    "test": Entry(RUN, "Run the tests in the environment that `up` created; send only changed files."),
    "watch": Entry(RUN, "Rerun the tests on every save, failed ones first."),
    "parity": Entry(RUN, "Run the tests in Compose and in Kubernetes, and decide whether Compose can be dropped."),
    "up": Entry(KEEP, "Create the environment or bring it up to date, and keep it."),
    "down": Entry(KEEP, "Remove the environment."),
    "status": Entry(KEEP, "Show whether the environment is up, ready and up to date."),
    "list": Entry(KEEP, "List the environments of this machine."),
    "clean": Entry(KEEP, "Remove expired environments and leftovers of killed commands."),
    "logs": Entry(INSPECT, "Print the logs of a service or of the runner."),
    "env": Entry(INSPECT, "Print shell exports for kubectl and helm against the cluster."),
    "debug": Entry(INSPECT, "Run a shell or a command in a debug pod, with HTTP, DNS and SQL clients."),
    "diagnose": Entry(INSPECT, "Find problems in the environment, with evidence."),
    "compare": Entry(INSPECT, "Compare two runs and explain each difference."),
    "render": Entry(INSPECT, "Show a past run again from its directory."),
    "report": Entry(INSPECT, "Explain a run on one page, as Markdown or in a brief."),
    "init": Entry(SETUP, "Write seatrial.toml from the files of the project."),
    "config": Entry(SETUP, "Show the configuration, its schema and its problems."),
    "doctor": Entry(SETUP, "Check this machine: tools, Docker Compose, engine, limits, ports and leftovers."),
    "completion": Entry(SETUP, "Print the completion script of a shell."),
}
"""Name to entry; the command is `command` in `seatrial.cli.NAME`."""
