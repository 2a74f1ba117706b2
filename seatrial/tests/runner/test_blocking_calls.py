"""Calls and streams that may block for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from seatrial.runner.blocking_calls import Abandoned, call, pieces


def test_call_returns_the_result_or_raises_the_error() -> None:
    def fails() -> None:
        raise OSError("no")

    assert call(lambda: 7) == 7
    assert call(lambda: None) is None
    with pytest.raises(OSError, match="no"):
        call(fails)


def test_call_is_abandoned_after_its_time() -> None:
    block = threading.Event()
    began = time.monotonic()

    with pytest.raises(Abandoned):
        call(block.wait, seconds=0.2)

    assert time.monotonic() - began < 1
    block.set()


def test_call_is_abandoned_when_until_is_true() -> None:
    block, stop = threading.Event(), threading.Event()
    threading.Timer(0.2, stop.set).start()

    with pytest.raises(Abandoned):
        call(block.wait, until=stop.is_set)
    block.set()


def test_pieces_come_in_order_and_with_their_error() -> None:
    def stream() -> Iterator[bytes]:
        yield b"a"
        yield b"b"
        raise OSError("cut")

    got = []
    with pytest.raises(OSError, match="cut"):
        got.extend(pieces(stream))

    assert [piece for piece in got if piece] == [b"a", b"b"] or not got


def test_silent_stream_yields_empty_pieces() -> None:
    block = threading.Event()

    def stream() -> Iterator[bytes]:
        yield b"a"
        block.wait()
        yield b"b"

    got = pieces(stream)
    assert [next(got), next(got), next(got)] == [b"a", b"", b""]
    block.set()
    assert [piece for piece in got if piece] == [b"b"]


def test_closed_stream_ends_after_its_next_piece() -> None:
    block, closed = threading.Event(), threading.Event()

    def stream() -> Iterator[bytes]:
        try:
            yield b"a"
            block.wait()
            while True:
                yield b"b"
        finally:
            closed.set()

    got = pieces(stream)
    assert next(got) == b"a"
    got.close()
    block.set()

    assert closed.wait(5)


def test_stream_is_not_read_far_ahead() -> None:
    read = []

    def stream() -> Iterator[bytes]:
        for number in range(10_000):
            read.append(number)
            yield b"x"

    got = pieces(stream)
    next(got)
    time.sleep(0.3)

    assert len(read) < 100
    got.close()
