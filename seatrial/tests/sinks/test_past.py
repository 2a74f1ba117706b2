from __future__ import annotations

from seatrial.model import event as e
from seatrial.sinks.past import Unreadable, events_of


def test_unreadable_lines_are_reported_and_skipped(recorded, tmp_path):
    file = tmp_path / "events.jsonl"
    first, second = (e.encode_event(event) for event in recorded("green")[:2])
    newer = first.replace(b"RunStarted", b"RunPondered")
    file.write_bytes(first + b"\n" + newer + b"\n" + second + b"\n" + second[:20])

    found = list(events_of(file))

    assert [(item.line, item.last) for item in found if isinstance(item, Unreadable)] == [(2, False), (4, True)]
    assert [type(item).__name__ for item in found] == ["Event", "Unreadable", "Event", "Unreadable"]
