"""Renderers of the event stream: events in, bytes out. They import `seatrial.model` only."""

from seatrial.model.event import Sink

__all__ = ["Sink"]
