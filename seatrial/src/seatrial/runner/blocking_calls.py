"""Wait for calls that may block, and leave them: a pod on a paused node answers neither with data nor with an error.

The call goes on in a thread of its own. What it does in the end is of no interest: it fails when its connection does.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Final, TypeVar

from seatrial.model.deadline import Deadline

__all__ = ["Abandoned", "call", "pieces"]

_LOOK: Final = 0.1
"""Seconds between two looks at what may end the wait."""

_AHEAD: Final = 64
"""Pieces of a stream that are read before anybody takes them."""

T = TypeVar("T")


class Abandoned(Exception):
    """The wait was ended; whether the call succeeds is unknown."""


def call(function: Callable[[], T], *, until: Callable[[], bool] | None = None, seconds: float = 3600.0) -> T:
    """Return what a function returns.

    Args:
        function: what may block.
        until: says when to leave it.
        seconds: how long it may take.

    Raises:
        Abandoned: it was left.
    """
    box: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            box.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            box.put((None, error))

    threading.Thread(target=work, name="seatrial-call", daemon=True).start()
    deadline = Deadline.after(seconds)
    while True:
        try:
            result, error = box.get(timeout=_LOOK)
        except queue.Empty:
            if deadline.passed or (until is not None and until()):
                raise Abandoned from None
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # None only if the function returned it


def pieces(stream: Callable[[], Iterator[bytes]]) -> Generator[bytes, None, None]:
    """Yield what a stream yields, and nothing (`b""`) every tenth of a second in which it has none.

    Args:
        stream: opens it; it is closed after its next piece once this generator is closed.
    """
    read: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
    left = threading.Event()

    def put(piece: bytes | BaseException | None) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                read.put(piece, timeout=_LOOK)
                break

    def work() -> None:
        try:
            for piece in stream():
                put(piece)
                if left.is_set():
                    break
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised where it is read
            put(error)

    threading.Thread(target=work, name="seatrial-stream", daemon=True).start()
    try:
        while True:
            try:
                piece = read.get(timeout=_LOOK)
            except queue.Empty:
                yield b""
                continue
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        left.set()
