"""The options of a command line that select a project and its environment."""

from __future__ import annotations

import shlex

import msgspec

__all__ = ["Selection"]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What selected the project and its environment. Options that were not given are empty.

    Attributes:
        project: value of `-C`.
        settings: `KEY=VALUE` of each `--set`.
        environment: value of `--env`.
        namespace: value of `--namespace`.
        variables: values of the environment variables that set keys of the configuration, by name.
    """

    project: str = ""
    settings: tuple[str, ...] = ()
    environment: str = ""
    namespace: str = ""
    variables: dict[str, str] = {}

    def command_line(self, name: str, *arguments: str) -> tuple[str, ...]:
        """Return the command line of a command with these options, without `seatrial`."""
        first = ("-C", self.project) if self.project else ()
        settings = (word for setting in self.settings for word in ("--set", setting))
        kind = ("--env", self.environment) if self.environment else ()
        namespace = ("--namespace", self.namespace) if self.namespace else ()
        return (*first, *settings, name, *kind, *namespace, *arguments)

    def shell_command(self, name: str, *arguments: str) -> str:
        """Return one line for a shell that selects the same project and environment, variables included."""
        assignments = [f"{variable}={_quoted(value)}" for variable, value in sorted(self.variables.items())]
        return " ".join([*assignments, shlex.join(("seatrial", *self.command_line(name, *arguments)))])


def _quoted(text: str) -> str:
    """Quote the value of a variable. Line feeds, which SEATRIAL_SET has, are escaped: reports show one line."""
    if "\n" not in text:
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{escaped}'"
