"""Defer Ctrl-C and SIGTERM where a step must not be interrupted; raise them if they are repeated."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["DeferredSignals", "Terminated", "defer_signals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM. Unwinds like Ctrl-C, so that created resources are deleted; the exit code is 143 instead of 130."""


class DeferredSignals:
    """Signals that were counted instead of raised.

    Attributes:
        count: their number.
        first: the exception of the first one; None before.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: type[KeyboardInterrupt] | None = None


@contextmanager
def defer_signals(event: threading.Event, *, limit: int = 1) -> Iterator[DeferredSignals]:
    """Let the first Ctrl-C or SIGTERM set an event, and later ones raise. If the event is set already, all raise.

    Does nothing outside of the main thread, because only that gets signals.

    Args:
        event: set by the first signal.
        limit: number of signals that are deferred before one is raised.
    """
    deferred = DeferredSignals()
    if threading.current_thread() is not threading.main_thread():
        yield deferred
        return

    def defer(number: int, _frame: FrameType | None) -> None:
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if deferred.count >= limit or (event.is_set() and not deferred.count):
            raise kind
        deferred.count += 1
        deferred.first = deferred.first or kind
        event.set()

    before = {number: signal.signal(number, defer) for number in _SIGNALS}
    try:
        yield deferred
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
