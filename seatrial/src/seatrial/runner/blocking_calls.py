"""Wait for calls that may block, and abandon them: a pod on a paused node sends neither data nor an error.

The call continues in its own thread until its connection fails. Its result is dropped.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Final, TypeVar

__all__ = ["Abandoned", "call", "pieces"]

_POLL_SECONDS: Final = 0.1
"""Seconds between two checks of the conditions that end the wait."""

_AHEAD: Final = 64
"""Number of pieces of a stream that are read ahead."""

T = TypeVar("T")


class Abandoned(Exception):
    """The call was abandoned; whether it succeeds is unknown."""


def call(function: Callable[[], T], *, until: Callable[[], bool] | None = None, seconds: float = 3600.0) -> T:
    """Return the result of a function that may block.

    Args:
        function: the function.
        until: returns whether to abandon the call.
        seconds: time after which the call is abandoned.

    Raises:
        Abandoned: the call was abandoned.
    """
    box: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            box.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
            box.put((None, error))

    threading.Thread(target=work, name="seatrial-call", daemon=True).start()
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            result, error = box.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if time.monotonic() >= give_up_at or (until is not None and until()):
                raise Abandoned from None
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # None only if the function returned None


def pieces(stream: Callable[[], Iterator[bytes]]) -> Generator[bytes, None, None]:
    """Yield the pieces of a stream, and `b""` every tenth of a second without a piece.

    Args:
        stream: opens the stream. It is closed after its next piece once this generator is closed.
    """
    read: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
    closed = threading.Event()

    def put(piece: bytes | BaseException | None) -> None:
        while not closed.is_set():
            with suppress(queue.Full):
                read.put(piece, timeout=_POLL_SECONDS)
                break

    def work() -> None:
        try:
            for piece in stream():
                put(piece)
                if closed.is_set():
                    break
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised in the reading thread
            put(error)

    threading.Thread(target=work, name="seatrial-stream", daemon=True).start()
    try:
        while True:
            try:
                piece = read.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                yield b""
                continue
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        closed.set()
