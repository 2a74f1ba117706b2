"""Recorded runs are compared with the accepted differences of the project's file."""

from __future__ import annotations

import pytest
from seatrial.app.comparing import AcceptedFile, accepted_entries, compare_sides
from seatrial.app.recorded_runs import read_side
from seatrial.comparison.tests import Bounds
from seatrial.model.errors import ExitCode, UsageError

from .run_directories import write_run

ENTRY = '[[accepted]]\ndifference = "test-outcome *"\nowner = "o"\nreason = "r"\nexpires = 2999-01-01\n'


def test_default_file_is_optional_and_a_given_one_is_not(tmp_path):
    assert accepted_entries(None, tmp_path / "none.toml") == AcceptedFile()
    assert accepted_entries(None, None) == AcceptedFile()
    with pytest.raises(UsageError) as raised:
        accepted_entries(str(tmp_path / "none.toml"), None)

    assert raised.value.reason == "No such file or directory"


def test_file_that_is_not_text_is_an_error(tmp_path):
    (tmp_path / "f.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError):
        accepted_entries(None, tmp_path / "f.toml")


def test_entries_of_the_file_accept_differences(tmp_path):
    (tmp_path / "f.toml").write_text(ENTRY)
    write_run(tmp_path / "one", {"t.py::a": "passed"})
    write_run(tmp_path / "two", {"t.py::a": "failed"}, text="assert 1 == 2")
    left, right = (read_side(str(tmp_path / name), None) for name in ("one", "two"))

    assert compare_sides(left, right, bounds=Bounds(), accepted=AcceptedFile()).exit is ExitCode.PARITY_DIFFERS
    accepted = accepted_entries(None, tmp_path / "f.toml")
    assert compare_sides(left, right, bounds=Bounds(), accepted=accepted).exit is ExitCode.PASSED
