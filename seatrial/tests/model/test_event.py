from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from seatrial.model import event as e
from seatrial.model.names import RunId
from seatrial.model.redaction import SECRETS
from seatrial.model.result import Stage

EVENT = e.Event(run=RunId("r"), seq=0, at=datetime(2026, 1, 31, tzinfo=UTC), body=e.Note(level="info", text="a\nb"))


def test_event_is_one_line_that_decodes_to_the_same_event() -> None:
    line = e.encode_event(EVENT)

    assert b"\n" not in line
    assert b'"body":"Note"' in line
    assert e.decode_event(line) == EVENT


LINE = e.encode_event(EVENT)


@pytest.mark.parametrize("line", [b"", b"[]", LINE.replace(b"Note", b"Newer"), LINE[:-9]])
def test_decode_event_refuses_lines_that_are_not_events_of_this_version(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        e.decode_event(line)


def test_safe_body_hides_secrets_and_escapes_control_characters() -> None:
    SECRETS.learn(["correct-horse"])
    try:
        body = e.safe_body(e.StageProgress(stage=Stage.BUILD, text="\x1b[2J correct-horse"))
    finally:
        SECRETS.forget()

    assert body == e.StageProgress(stage=Stage.BUILD, text="\\x1b[2J ***")


def test_safe_body_returns_events_of_tests_unchanged() -> None:
    body = e.TestStarted(nodeid="test_a.py::test_a")

    assert e.safe_body(body) is body
