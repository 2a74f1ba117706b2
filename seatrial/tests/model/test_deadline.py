from __future__ import annotations

import time

import pytest
from seatrial.model.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time of `time.monotonic()` as a list of one element that a test can change."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_deadline_counts_down_to_zero(clock: list[float]) -> None:
    deadline = Deadline.after(10)
    clock[0] += 4

    assert (deadline.left, deadline.passed) == (6, False)
    clock[0] += 6
    assert (deadline.left, deadline.passed) == (0, True)
    clock[0] += 10
    assert (deadline.left, deadline.passed) == (0, True)


def test_child_deadline_is_never_later_than_its_parent(clock: list[float]) -> None:
    deadline = Deadline.after(10)

    assert deadline.child(3).left == 3
    assert deadline.child(60).left == 10


def test_grace_begins_now_even_after_the_deadline(clock: list[float]) -> None:
    deadline = Deadline.after(10)
    clock[0] += 60

    assert deadline.passed
    assert deadline.grace(5).left == 5
