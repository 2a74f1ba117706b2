"""Recorded is an emit function and a sink."""

from __future__ import annotations

import pytest
from seatrial.doubles import FakeClock, Recorded
from seatrial.model import event as e
from seatrial.model.names import RunId
from seatrial.model.result import Stage
from seatrial.sinks import Sink


@pytest.fixture
def recorded_event() -> e.Event:
    body = e.StageStarted(stage=Stage.BUILD)
    return e.Event(run=RunId("r"), seq=0, at=FakeClock().now(), body=body)


def test_recorded_keeps_bodies_of_facts_and_events(recorded_event):
    recorded = Recorded()
    sink: Sink = recorded
    note = e.Note(level="info", text="a")
    recorded(note)
    sink(recorded_event)
    sink.close()

    assert recorded.bodies == [note, recorded_event.body]
    assert recorded.of(e.StageStarted) == [recorded_event.body]
    assert recorded.closed
