"""Events, kept."""

from __future__ import annotations

from typing import TypeVar

from seatrial.model.event import Body, Event

__all__ = ["Recorded"]

_T = TypeVar("_T")


class Recorded:
    """Keeps what it is given: an `Emit` for bodies, and a sink for events.

    Attributes:
        bodies: all bodies, in order.
        closed: whether it was closed, as sinks are.
    """

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.closed = False

    def __call__(self, fact: Body | Event, /) -> None:
        """Keep a body, or an event's body."""
        self.bodies.append(fact.body if isinstance(fact, Event) else fact)

    def close(self) -> None:
        """Be closed."""
        self.closed = True

    def of(self, kind: type[_T]) -> list[_T]:
        """Return the bodies of one kind."""
        return [body for body in self.bodies if isinstance(body, kind)]
