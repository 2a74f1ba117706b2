"""Counting as pytest counts."""

from __future__ import annotations

from typing import Any

import pytest
from seatrial.model import event
from seatrial.runner.progress import Progress, _used_services
from seatrial.runner.protocol import FrameReader

from runner.frames import log


def taken(*records: list[Any]) -> tuple[Progress, list[event.Body]]:
    """Return the state and the events after some records."""
    progress, events = Progress(), []
    for frame in FrameReader().feed(b"".join(log(list(records)))):
        events += progress.take(frame)
    return progress, events


def report(nodeid: str, when: str, outcome: str, **more: Any) -> list[Any]:
    return ["report", {"nodeid": nodeid, "when": when, "outcome": outcome, "duration": 0.5, **more}]


def test_progress_counts_as_pytest_does() -> None:
    """Outcomes have the names of pytest's last line."""
    progress, _ = taken(
        ["collected", 9, 9, [], []],
        ["deselected", 2],
        ["s", "a\0a\0a", 1],
        ["p", "", 100, 0, 100, 0],
        ["t", 100, 0],
        report("b", "call", "failed"),
        report("c", "setup", "failed"),
        report("d", "teardown", "failed"),
        report("e", "setup", "skipped", longrepr=["f", 1, "Skipped: because"]),
        report("f", "setup", "skipped", longrepr=["f", 1, "Skipped: not run: stand-in"]),
        report("g", "call", "skipped", wasxfail="known"),
        report("h", "call", "passed", wasxfail="known"),
        ["collect", {"nodeid": "bad.py", "outcome": "failed", "when": "collect"}, 0],
        ["collect", {"nodeid": "no.py", "outcome": "skipped", "when": "collect", "longrepr": None}, 0],
    )

    counts = progress.counts
    assert (counts.collected, counts.deselected) == (9, 2)
    assert (counts.passed, counts.failed, counts.errors, counts.skipped) == (1, 1, 3, 3)
    assert (counts.xfailed, counts.xpassed, counts.not_run) == (1, 1, {"stand-in": 1})


def test_subtests_count_as_pytest_counts_them() -> None:
    """A failed subtest counts as a failure, and its test fails when it is shown. A passed subtest does not count."""
    progress, _ = taken(
        report("a", "call", "passed", _report_type="SubTestReport"),
        report("a", "call", "failed", _report_type="SubTestReport"),
        [*report("a", "call", "passed"), {"outcome": "failed", "longrepr": "contains 1 failed subtest"}],
    )

    assert (progress.counts.passed, progress.counts.failed) == (0, 2)
    assert progress.tally == {"call/passed/": 2, "call/failed/": 1}


def test_events_have_no_lone_surrogates() -> None:
    """File names that are not UTF-8 are sent as pytest has them and shown escaped."""
    _, events = taken(["s", "test_\udce4.py::x\0f\0x", 1], report("test_\udce4.py::x", "???", "failed", node="gw1"))

    started, reported = events
    assert isinstance(started, event.TestStarted)
    assert isinstance(reported, event.TestReported)
    assert started.nodeid == "test_\\udce4.py::x"
    assert (reported.when, reported.worker) == ("call", "gw1")


def test_unknown_records_are_ignored() -> None:
    """A newer agent may send more kinds of records."""
    progress, events = taken(["from the future", 1, 2])

    assert (progress, events) == (Progress(), [])


@pytest.mark.parametrize(
    ("context", "services"),
    [
        ({"services": ["web"]}, ("web",)),
        ({"addresses": ["http://api:8080/x", "db:5432", "https://u:p@store.shop.svc/"]}, ("api", "db", "store")),
        ({"services": ["api"], "addresses": ["api:80"]}, ("api",)),
        ({}, ()),
    ],
)
def test_used_services_are_those_asked_for_and_connected_to(context, services):
    assert _used_services(context) == services
