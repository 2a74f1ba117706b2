from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.cli.errors import finish
from seatrial.cli.options import Context
from seatrial.model.errors import EnvironmentFailed, ExitCode, SeatrialError

from .finished_runs import finished


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(project_at=str(tmp_path))


def test_finish_raises_the_problem_that_decided_the_exit_code(context: Context) -> None:
    with pytest.raises(SeatrialError, match="no cluster"):
        finish(context, finished(ExitCode.ENVIRONMENT, EnvironmentFailed("no cluster")))


def test_finish_returns_the_code_of_result_json_when_the_tests_ended_worse(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    failed_teardown = EnvironmentFailed("the cluster could not be deleted")

    assert finish(context, finished(ExitCode.INCONCLUSIVE, failed_teardown)) is ExitCode.INCONCLUSIVE
    assert "the cluster could not be deleted" in capsys.readouterr().err


def test_finish_returns_the_code_of_failed_tests(context: Context) -> None:
    assert finish(context, finished(ExitCode.TESTS_FAILED, None)) is ExitCode.TESTS_FAILED
