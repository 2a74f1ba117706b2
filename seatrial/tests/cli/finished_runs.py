"""Replace the run of an environment by a fixed result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from seatrial.model.errors import ExitCode
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import RunResult
from seatrial.pipeline import FinishedRun
from seatrial.removal.keep import Fate


def finished(code: ExitCode = ExitCode.PASSED, problem: BaseException | None = None) -> FinishedRun:
    """Return a finished run with an exit code."""
    result = RunResult(
        run=RunId("20260131-154501-3f2a"),
        environment=EnvironmentId("5e551040"),
        started=datetime(2026, 1, 31, tzinfo=UTC),
        seconds=1.0,
        exit=code,
        verdict="",
    )
    return FinishedRun(result, Fate.KEPT, problem)


class Runs:
    """Takes the place of `run_in_environment`.

    Attributes:
        code: exit code of the runs.
        calls: environment and settings of each run.
    """

    def __init__(self) -> None:
        self.code = ExitCode.PASSED
        self.calls: list[dict[str, Any]] = []

    def __call__(self, this: Any, project: Any, record: Any, **settings: Any) -> FinishedRun:
        self.calls.append({"project": project, "record": record, **settings})
        return finished(self.code)
