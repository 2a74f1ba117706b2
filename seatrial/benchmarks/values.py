"""What a benchmark measures, as frozen values; its file is these as JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["OURS", "Figure", "Goal", "Machine", "Measured", "Report", "Sample", "SideInfo"]

OURS = "seatrial"
"""The side that all others are compared with."""


class Figure(StrEnum):
    """What is measured of a sample, in seconds."""

    WHOLE = "whole"
    """From the start of the first command to the end of the last one."""
    PYTEST = "pytest"
    """The life of pytest's own process in the pod."""
    BESIDES = "besides"
    """The whole without pytest's own process."""
    AFTER = "after"
    """From the end of pytest's process in the pod to the end of the last command."""
    NAMED = "named"
    """From what the kubelet says of a pod to the line that names it, or to the end of a command that never does."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one side.

    Attributes:
        round: samples of one round were taken one after the other: they are a pair.
        seconds: by figure.
        parts: where the time went, for people: commands or stages to seconds.
        load: processes that wanted a CPU before it began, averaged over a minute; 0 where nobody can tell.
    """

    side: str
    round: int
    seconds: dict[Figure, float]
    parts: dict[str, float] = {}
    load: float = 0.0


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool wants to reach, for its median.

    Attributes:
        figure: of the tool's samples.
        seconds: at most so many; None: the goal is relative.
        times: at most this part of what the peer takes: 1/8 is 0.125; None: the goal is absolute.
        peer: the side that a relative goal is about.
    """

    figure: Figure
    seconds: float | None = None
    times: float | None = None
    peer: str = ""


class SideInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One of those compared.

    Attributes:
        commands: what is run, as a person would type it.
        notes: where it differs from what one would expect.
    """

    name: str
    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario with its samples, in the order in which they were taken."""

    scenario: str
    title: str
    sides: tuple[SideInfo, ...]
    goals: tuple[Goal, ...]
    samples: tuple[Sample, ...]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured.

    Attributes:
        memory: bytes.
        versions: of what takes part, by name.
    """

    cpus: int
    cpu: str
    memory: int
    system: str
    kernel: str
    versions: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        schema: version of these fields.
        commit: of the repository; with `+` if something in it had changed.
    """

    schema: int = 1
    started: datetime
    commit: str
    machine: Machine
    scenarios: tuple[Measured, ...]
