"""The same suites locally and through us: outcomes, ids, exit codes, counts, the terminal and JUnit are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.model import event

from conformance.compare import differences, run_both
from conformance.suites import CASES, Case
from conformance.transport import Transport


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_looks_the_same(transport: Transport, case: Case, tmp_path: Path) -> None:
    """What the user sees, and what machines read, is what pytest would show and write locally."""
    both = run_both(transport, case, tmp_path)

    different = differences(both)
    if different:
        pytest.fail(different, pytrace=False)


def test_events_tell_each_phase(transport: Transport, tmp_path: Path) -> None:
    """The stream of events has every phase of every test with its outcome."""
    case = next(each for each in CASES if each.name == "mixed")

    both = run_both(transport, case, tmp_path)

    told = {(body.nodeid, body.when): body.outcome for body in both.events if isinstance(body, event.TestReported)}
    assert told["test_mixed.py::test_fails", "call"] == "failed"
    assert told["test_mixed.py::test_error_in_setup", "setup"] == "error"
    assert told["test_mixed.py::test_error_in_teardown", "teardown"] == "error"
    assert told["test_mixed.py::test_xfail", "call"] == "xfailed"
    assert told["test_mixed.py::test_xpass", "call"] == "xpassed"
    assert told["test_mixed.py::test_skip", "setup"] == "skipped"
