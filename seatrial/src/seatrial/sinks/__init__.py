"""Renderers of the stream of events: events in, bytes out. They import `seatrial.model` only."""

from __future__ import annotations

from typing import Protocol

from seatrial.model.event import Event

__all__ = ["Sink"]


class Sink(Protocol):
    """Something that wants every event of a run, in order, from one thread at a time."""

    def __call__(self, event: Event, /) -> None:
        """Take the event. Must return quickly and never raise because of what the event says."""

    def close(self) -> None:
        """Write what is left. Called once, after the last event, also when the run was cut short."""
