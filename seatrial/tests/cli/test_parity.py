"""`seatrial parity` runs Compose and Kubernetes, prints the verdict and decides whether Compose can be dropped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from app.run_directories import FACTS, write_run
from msgspec.structs import replace
from seatrial.app.recorded_runs import read_run
from seatrial.app.repeated_runs import RepeatedRuns
from seatrial.comparison.recorded import Side
from seatrial.model.environment_facts import EnvironmentKind
from seatrial.model.errors import ExitCode


@pytest.fixture
def recorded(project, monkeypatch):
    """Take the place of the runs: `recorded["kubernetes"]` is the outcome of the test there."""
    outcomes = {"compose": "passed", "kubernetes": "passed"}
    asked = []

    def run_both(this, projects, *, pytest_args, **more):
        asked.append((pytest_args, more["reruns"]))
        sides = []
        for name in projects:
            facts = replace(FACTS, kind=EnvironmentKind(name))
            run = read_run(write_run(project / name, {"t.py::a": outcomes[name]}, facts=facts))
            ended: Any = SimpleNamespace(result=SimpleNamespace(exit=ExitCode(run.result.exit)))
            sides.append(RepeatedRuns(Side(name=name, runs=(run,)), (ended,)))
        return tuple(sides)

    monkeypatch.setattr("seatrial.app.comparing.run_both", run_both)
    (project / "compose.yaml").write_text("services: {}\n")
    with (project / "seatrial.toml").open("a") as file:
        file.write('\n[compose]\nfile = "compose.yaml"\n')
    return outcomes, asked


def test_equal_environments_are_ready(seatrial, recorded):
    said = seatrial("parity", "--ready")

    assert said.code == 0
    assert "[x] All Docker Compose tests also pass in kind: 1 of 1 tests" in said.out
    assert said.out.endswith("ready to drop Compose\n")


def test_test_that_fails_in_kubernetes_ends_with_13(seatrial, recorded):
    recorded[0]["kubernetes"] = "failed"
    said = seatrial("parity")

    assert said.code == 13
    assert "not ready to drop Compose: 1 difference, 1 unexplained" in said.out


def test_tests_that_fail_alike_end_with_1_and_are_not_ready(seatrial, recorded):
    recorded[0].update(compose="failed", kubernetes="failed")

    assert seatrial("parity").code == 1


def test_arguments_are_passed_to_pytest(seatrial, recorded):
    seatrial("parity", "--reruns", "2", "-k", "s3")

    assert recorded[1] == [(("-k", "s3"), 2)]


def test_project_without_compose_is_a_usage_error(seatrial, project):
    assert seatrial("parity").code == 4
