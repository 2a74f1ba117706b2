"""A Compose project on the local engine, with the tests in one more container of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seatrial.environments.environment import Environment, Plan
from seatrial.model.result import Stage
from seatrial.ports import ComposeProject

__all__ = ["Compose"]

_PLAN: Final[Plan] = (
    ((Stage.PREFLIGHT,),),
    ((Stage.BUILD,),),
    ((Stage.INSTALL,),),
    ((Stage.READY,),),
    ((Stage.TEST,),),
    ((Stage.COLLECT,),),
    ((Stage.TEARDOWN,),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose(Environment):
    """The Compose environment over its ports.

    Attributes:
        compose: the Compose project of this environment.
    """

    compose: ComposeProject
    name: str = "compose"
    plan: Plan = _PLAN
