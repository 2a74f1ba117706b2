"""List the agent's files for the runner pod's ConfigMap, and build the agent's commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from seatrial.pod.agent.wire import AGENT_ENTRY

__all__ = ["agent_argv", "agent_files"]


def agent_files() -> Mapping[str, str]:
    """Return name -> text of the files of agent, fixtures and clients: the `data` of a ConfigMap."""
    found: dict[str, str] = {}
    for package in ("seatrial.pod.clients", "seatrial.pod.fixtures", "seatrial.pod.agent"):
        found |= {entry.name: entry.read_text() for entry in files(package).iterdir() if entry.name.endswith(".py")}
    return found


def agent_argv(*arguments: str, python: str = "python3", entry: str = AGENT_ENTRY) -> Sequence[str]:
    """Return the argv of an agent command, for example `serve` in container tests and `keep` in container keeper."""
    return (python, "-I", "-S", entry, *arguments)
