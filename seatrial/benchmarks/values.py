"""Define the values of a benchmark; its file is their JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["OURS", "Figure", "Goal", "Machine", "Measured", "Report", "Sample", "SideInfo"]

OURS = "seatrial"
"""The side that all others are compared with."""


class Figure(StrEnum):
    """A figure of a sample, in seconds."""

    WHOLE = "whole"
    """From the start of the first command to the end of the last one."""
    PYTEST = "pytest"
    """The lifetime of pytest's process in the pod."""
    BESIDES = "besides"
    """The whole without pytest's process."""
    AFTER = "after"
    """From the end of pytest's process in the pod to the end of the last command."""
    NAMED = "named"
    """From the kubelet's event to the line that names the pod, or to the end of a command that never names it."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one side.

    Attributes:
        round: samples of one round are taken directly after each other and form a pair.
        seconds: by figure.
        parts: commands or stages -> seconds, for the reader.
        load: load average of the last minute before the start; 0 if unknown.
    """

    side: str
    round: int
    seconds: dict[Figure, float]
    parts: dict[str, float] = {}
    load: float = 0.0


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal for seatrial's median.

    Attributes:
        figure: of seatrial's samples.
        seconds: at most this; None: the goal is relative.
        times: at most this fraction of the peer's time: 1/8 is 0.125; None: the goal is absolute.
        peer: the side of a relative goal.
    """

    figure: Figure
    seconds: float | None = None
    times: float | None = None
    peer: str = ""


class SideInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One of the compared sides.

    Attributes:
        commands: the commands, as a user would type them.
        notes: differences from what a reader would expect.
    """

    name: str
    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario with its samples, in order of time."""

    scenario: str
    title: str
    sides: tuple[SideInfo, ...]
    goals: tuple[Goal, ...]
    samples: tuple[Sample, ...]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of the measurement.

    Attributes:
        memory: bytes.
        versions: program -> version.
    """

    cpus: int
    cpu: str
    memory: int
    system: str
    kernel: str
    versions: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A complete report.

    Attributes:
        schema: version of these fields.
        commit: of the repository; with `+` if tracked files had changed.
    """

    schema: int = 1
    started: datetime
    commit: str
    machine: Machine
    scenarios: tuple[Measured, ...]
