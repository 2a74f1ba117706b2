"""Ctrl-C: the first one is taken note of where a step must not be cut in two, the second one cuts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["first_sets"]


@contextmanager
def first_sets(noted: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set an event, and the next ones raise KeyboardInterrupt; if it is set, all of them.

    Does nothing outside of the main thread, which is the one that gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            signal.default_int_handler(number, frame)
        noted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
