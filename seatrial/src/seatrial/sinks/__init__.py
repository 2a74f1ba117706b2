"""Renderers of the stream of events: events in, bytes out. They import `seatrial.model` only."""

from seatrial.model.event import Sink

__all__ = ["Sink"]
