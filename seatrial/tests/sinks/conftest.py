"""Runs for the tests of the renderers: recorded by `e2e/record_runs.py`, or composed of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from seatrial.model.event import Body, Event
from seatrial.model.names import RunId
from seatrial.sinks import words
from seatrial.sinks.past import Unreadable, events_of

RUNS = Path(__file__).with_name("runs")
RECORDED_IN = Path("/tmp/orders-api")
START = datetime(2026, 1, 31, 15, 45, 1, tzinfo=UTC)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Event]]:
    """Return the events of a recorded run, in the directory that it was recorded in."""
    monkeypatch.setattr(words, "relative", lambda path: path.removeprefix(f"{RECORDED_IN}/"))

    def recorded(name: str) -> list[Event]:
        events = list(events_of(RUNS / f"{name}.jsonl"))
        assert not any(isinstance(event, Unreadable) for event in events)
        return [event for event in events if isinstance(event, Event)]

    return recorded


@pytest.fixture
def events() -> Callable[..., list[Event]]:
    """Return events of bodies, each with its time in seconds after the start."""

    def events(*bodies: tuple[float, Body]) -> list[Event]:
        def numbered() -> Iterator[Event]:
            for seq, (after, body) in enumerate(bodies):
                yield Event(run=RunId("r"), seq=seq, at=START + timedelta(seconds=after), body=body)

        return list(numbered())

    return events
