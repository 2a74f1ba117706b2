"""What every kind of environment has: the machine's engine, programs and clock, and directories for saved state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seatrial.model.result import Stage
from seatrial.ports import Clock, EngineInfo, Images, Processes

__all__ = ["Environment", "Plan"]

Plan = tuple[tuple[tuple[Stage, ...], ...], ...]
"""Groups of stages that run one after the other. The chains of a group run at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment over its ports.

    Attributes:
        plan: the stages of a run.
        images: images of the container engine.
        directory: of the environment: logs and saved state.
        shared: directory of saved state that all environments share, such as known images.
        engine_info: returns the engine's version and capacity; raises UsageError if no engine answers.
        holder: user and machine, shown to others who find the environment in use.
    """

    plan: Plan
    images: Images
    processes: Processes
    clock: Clock
    directory: Path
    shared: Path
    engine_info: Callable[[], EngineInfo]
    holder: str = ""

    @property
    def plan_without_tests(self) -> Plan:
        """The stages of `up`."""
        return tuple(step for step in self.plan if step != ((Stage.TEST,),))
