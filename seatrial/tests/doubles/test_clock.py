"""FakeClock keeps the contract of SystemClock: the same tests run against both."""

from __future__ import annotations

from datetime import timedelta

import pytest
from seatrial.adapters.machine import SystemClock
from seatrial.doubles import FakeClock
from seatrial.ports import Clock


@pytest.fixture(params=["real", "fake"])
def clock(request) -> Clock:
    return SystemClock() if request.param == "real" else FakeClock()


def test_clock_has_an_offset_and_does_not_run_backwards(clock):
    first = clock.now()

    assert first.utcoffset() is not None
    assert clock.now() >= first


def test_fake_clock_moves_when_it_is_advanced():
    clock = FakeClock()
    before = clock.now()
    clock.advance(90)

    assert clock.now() - before == timedelta(seconds=90)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
