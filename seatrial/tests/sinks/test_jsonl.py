from __future__ import annotations

from seatrial.sinks.jsonl import JsonLines
from seatrial.sinks.past import events_of


def test_events_file_reads_back_as_written(recorded, tmp_path):
    events = recorded("green")
    sink = JsonLines(tmp_path / "new" / "events.jsonl")
    for event in events:
        sink(event)
    sink.close()

    assert list(events_of(tmp_path / "new" / "events.jsonl")) == events


def test_each_event_is_on_disk_at_once(recorded, tmp_path):
    sink = JsonLines(tmp_path / "events.jsonl")
    sink(recorded("green")[0])

    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1
    sink.close()
