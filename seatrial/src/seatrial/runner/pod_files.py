"""What the pod needs to have: files, places and commands. For whoever writes the pod's manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

__all__ = ["AGENT_DIRECTORY", "AGENT_ENTRY", "STATE_DIRECTORY", "agent_argv", "agent_files"]

AGENT_DIRECTORY: Final = "/seatrial/agent/seatrial_agent"
"""Mount the ConfigMap made of `agent_files()` here, in both containers; the last part is the package's name."""

AGENT_ENTRY: Final = f"{AGENT_DIRECTORY}/agent.py"

STATE_DIRECTORY: Final = "/seatrial/run"
"""Mount an emptyDir here in both containers; both run as the same user. Not in memory: output may be large."""


def agent_files() -> Mapping[str, str]:
    """Return name -> text of the agent's files, of fixtures and clients beside them: the `data` of a ConfigMap."""
    found: dict[str, str] = {}
    for package in ("seatrial.pod.clients", "seatrial.pod.fixtures", "seatrial.pod.agent"):
        found |= {entry.name: entry.read_text() for entry in files(package).iterdir() if entry.name.endswith(".py")}
    return found


def agent_argv(*arguments: str, python: str = "python3", entry: str = AGENT_ENTRY) -> Sequence[str]:
    """Return the command for a command of the agent: `serve` in container tests, `keep` in container keeper."""
    return (python, "-I", "-S", entry, *arguments)
