"""Recorded runs are compared with the accepted differences of the project's file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from seatrial.app.comparing import AcceptedFile, accepted_entries, compare_sides, exit_of, run_both
from seatrial.app.recorded_runs import read_side
from seatrial.app.repeated_runs import RepeatedRuns
from seatrial.comparison.recorded import Side
from seatrial.comparison.tests import Bounds
from seatrial.model.errors import ExitCode, UsageError
from seatrial.model.selection import Selection

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


class TestEnvironments:
    def ended(self, *codes):
        return [RepeatedRuns(Side(name="x", runs=()), tuple(ended(code) for code in codes))]

    def test_both_environments_run_one_after_the_other(self, monkeypatch):
        asked = []

        def run_side(this, project, *, name, repetitions, **more):
            asked.append((project, name, repetitions))
            return name

        monkeypatch.setattr("seatrial.app.comparing.run_side", run_side)
        nothing: Any = None
        projects: Any = {"compose": "c", "kubernetes": "k"}
        found: Any = run_both(nothing, projects, selection=Selection(), reruns=2, output=nothing, say=print)

        assert found == ("compose", "kubernetes")
        assert asked == [("c", "compose", 3), ("k", "kubernetes", 3)]

    @pytest.mark.parametrize(
        ("codes", "differs", "expected"),
        [
            ((0, 0), False, 0),
            ((0, 0), True, 13),
            ((0, 1), True, 13),
            ((1, 1), False, 1),
            ((0, 10), True, 10),
            ((12, 10), True, 12),
        ],
    )
    def test_failed_platform_is_worse_than_a_difference(self, codes, differs, expected):
        comparison: Any = SimpleNamespace(exit=ExitCode.PARITY_DIFFERS if differs else ExitCode.PASSED)

        assert exit_of(comparison, self.ended(*map(ExitCode, codes))) == expected


def ended(code) -> Any:
    return SimpleNamespace(result=SimpleNamespace(exit=code))
