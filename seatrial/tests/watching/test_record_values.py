from __future__ import annotations

from datetime import UTC, datetime

import pytest
from seatrial.model.timeline_parts import Condition, Controller
from seatrial.watching.record_values import conditions_of, controller_of_object, integer, time_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.250000Z", datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_time_of_returns_utc_and_nothing_for_malformed_values(value: object, expected: datetime | None) -> None:
    assert time_of(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (None, 0), ("3", 0)])
def test_integer_of_a_missing_or_malformed_value_is_0(value: object, expected: int) -> None:
    assert integer(value) == expected


def test_conditions_are_sorted_and_leave_out_heartbeats() -> None:
    status = {
        "conditions": [
            {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-31T12:00:00Z"},
            {"type": "DiskPressure", "status": "False", "reason": "Fine", "message": "enough"},
        ]
    }

    assert conditions_of(status) == (
        Condition(type="DiskPressure", status="False", reason="Fine", message="enough"),
        Condition(type="Ready", status="True"),
    )


def test_controller_of_object_is_the_owner_that_controls_it() -> None:
    owners = [{"kind": "Node", "name": "n"}, {"kind": "CronJob", "name": "nightly", "controller": True}]

    assert controller_of_object({"metadata": {"ownerReferences": owners}}) == Controller(kind="CronJob", name="nightly")
    assert controller_of_object({"metadata": {}}) is None
