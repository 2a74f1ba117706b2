"""Record the events that code under test emits."""

from __future__ import annotations

from typing import TypeVar

from seatrial.model.event import Body, Event

__all__ = ["Recorded"]

_T = TypeVar("_T")


class Recorded:
    """A recorder that is both an `Emit` and a sink.

    Attributes:
        bodies: bodies of all events, in order.
        closed: whether `close` was called.
    """

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.closed = False

    def __call__(self, fact: Body | Event, /) -> None:
        """Record a body, or the body of an event."""
        self.bodies.append(fact.body if isinstance(fact, Event) else fact)

    def close(self) -> None:
        """Set `closed`."""
        self.closed = True

    def of(self, kind: type[_T]) -> list[_T]:
        """Return the bodies of one type."""
        return [body for body in self.bodies if isinstance(body, kind)]
