"""One side of a comparison: an environment that exists is used and stays, a new one is removed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from seatrial.app import repeated_runs
from seatrial.app.recorded_runs import read_run
from seatrial.model.errors import ExitCode
from seatrial.model.selection import Selection

from .run_directories import write_run


class Worlds:
    """Records what happens to environments.

    Attributes:
        kept: whether an environment is kept.
        codes: exit codes of the runs.
        log: what happened.
    """

    def __init__(self, root):
        self.root = root
        self.kept = False
        self.codes = []
        self.problem = None
        self.log = []
        self.count = 0

    def find(self, this, project):
        return "kept" if self.kept else None

    def claim(self, this, project):
        self.log.append("claim")
        return "record"

    def create(self, this, project, **more):
        self.log.append("create")
        return "record"

    def take_down(self, this, project, namespace, say):
        self.log.append("down")
        self.kept = False

    def run(self, this, project, record, *, keep, command, selection, **more):
        assert selection == Selection(project="p", environment="compose")
        self.log.append(f"{command[0]} {keep}")
        self.kept = keep == "always"
        self.count += 1
        directory = write_run(self.root / ".seatrial" / "runs" / f"run-{self.count}", {"t.py::a": "passed"})
        result = read_run(directory).result
        code = self.codes.pop(0) if self.codes else ExitCode.PASSED
        changed = SimpleNamespace(run=result.run, exit=code)
        return SimpleNamespace(result=changed, problem=self.problem)


@pytest.fixture
def worlds(tmp_path, monkeypatch):
    it = Worlds(tmp_path)
    monkeypatch.setattr("seatrial.app.environments.find", it.find)
    monkeypatch.setattr("seatrial.app.environments.claim", it.claim)
    monkeypatch.setattr("seatrial.app.environments.create", it.create)
    monkeypatch.setattr(repeated_runs, "take_down", it.take_down)
    monkeypatch.setattr("seatrial.app.run_lifecycle.run_in_environment", it.run)
    return it


def side(worlds, repetitions):
    project: Any = SimpleNamespace(root=worlds.root, environment="compose")
    nothing: Any = None
    return repeated_runs.run_side(
        nothing, project, name="compose", selection=Selection(project="p"), repetitions=repetitions, output=nothing,
        say=worlds.log.append,
    )  # fmt: skip


def test_single_run_removes_its_environment_itself(worlds):
    found = side(worlds, 1)

    assert worlds.log == ["create", "run never"]
    assert (found.side.name, len(found.side.runs), len(found.ended)) == ("compose", 1, 1)


def test_repetitions_use_one_environment_which_the_last_removes(worlds):
    assert len(side(worlds, 3).side.runs) == 3
    assert worlds.log == ["create", "run always", "claim", "test always", "claim", "test never"]


def test_kept_environment_stays(worlds):
    worlds.kept = True
    side(worlds, 2)

    assert worlds.log == ["claim", "test always", "claim", "test always"]


def test_failed_tests_are_repeated(worlds):
    worlds.codes = [ExitCode.TESTS_FAILED]

    assert len(side(worlds, 2).side.runs) == 2


def test_failed_environment_is_not_repeated_and_is_removed(worlds):
    worlds.codes = [ExitCode.ENVIRONMENT]

    assert len(side(worlds, 3).side.runs) == 1
    assert worlds.log == ["create", "run always", "down"]


def test_interrupted_run_removes_the_environment_and_is_raised(worlds):
    worlds.problem = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        side(worlds, 2)

    assert worlds.log == ["create", "run always", "down"]
