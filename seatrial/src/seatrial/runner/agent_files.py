"""What the pod needs to have: files, places and commands. For whoever writes the pod's manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from seatrial.pod.agent.wire import AGENT_ENTRY

__all__ = ["agent_argv", "agent_files"]


def agent_files() -> Mapping[str, str]:
    """Return name -> text of the agent's files, of fixtures and clients beside them: the `data` of a ConfigMap."""
    found: dict[str, str] = {}
    for package in ("seatrial.pod.clients", "seatrial.pod.fixtures", "seatrial.pod.agent"):
        found |= {entry.name: entry.read_text() for entry in files(package).iterdir() if entry.name.endswith(".py")}
    return found


def agent_argv(*arguments: str, python: str = "python3", entry: str = AGENT_ENTRY) -> Sequence[str]:
    """Return the command for a command of the agent: `serve` in container tests, `keep` in container keeper."""
    return (python, "-I", "-S", entry, *arguments)
