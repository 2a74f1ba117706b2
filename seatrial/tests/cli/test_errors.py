from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import EnvironmentFailed, ExitCode, SeatrialError
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Counts, RunResult
from seatrial.pipeline import FinishedRun
from seatrial.removal.keep import Fate


def ended(exit_: ExitCode, problem: BaseException | None) -> FinishedRun:
    result = RunResult(
        run=RunId("20260131-154501-3f2a"),
        environment=EnvironmentId("5e551040"),
        started=datetime(2026, 1, 31, tzinfo=UTC),
        seconds=1.0,
        exit=exit_,
        verdict="",
        counts=Counts(),
    )
    return FinishedRun(result, Fate.KEPT, problem)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(project_at=str(tmp_path))


def test_finish_raises_the_problem_that_decided_the_exit_code(context: Context) -> None:
    with pytest.raises(SeatrialError, match="no cluster"):
        finish(context, ended(ExitCode.ENVIRONMENT, EnvironmentFailed("no cluster")))


def test_finish_returns_the_code_of_result_json_when_the_tests_ended_worse(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    failed_teardown = EnvironmentFailed("the cluster could not be deleted")

    assert finish(context, ended(ExitCode.INCONCLUSIVE, failed_teardown)) is ExitCode.INCONCLUSIVE
    assert "the cluster could not be deleted" in capsys.readouterr().err


def test_finish_returns_the_code_of_failed_tests(context: Context) -> None:
    assert finish(context, ended(ExitCode.TESTS_FAILED, None)) is ExitCode.TESTS_FAILED
