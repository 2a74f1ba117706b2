"""Ctrl-C and SIGTERM: noted where a step must not be cut in two, raised if they come again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["Noted", "Terminated", "first_sets"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Unwinds like Ctrl-C, so that what was created is deleted; the process ends 143 instead of 130."""


class Noted:
    """Signals that were noted instead of raised.

    Attributes:
        count: how many.
        first: what the first one would have raised; None before.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: type[KeyboardInterrupt] | None = None


@contextmanager
def first_sets(event: threading.Event, *, patience: int = 1) -> Iterator[Noted]:
    """Let the first Ctrl-C or SIGTERM set an event, and later ones raise; if the event is set already, all of them.

    Does nothing outside of the main thread, which is the one that gets signals.

    Args:
        event: is set by the first signal.
        patience: how many signals are noted before one is raised.
    """
    noted = Noted()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, _frame: FrameType | None) -> None:
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if noted.count >= patience or (event.is_set() and not noted.count):
            raise kind
        noted.count += 1
        noted.first = noted.first or kind
        event.set()

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
