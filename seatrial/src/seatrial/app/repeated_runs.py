"""Run the tests several times in one environment, as one side of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from seatrial.app import environments, run_lifecycle
from seatrial.app.recorded_runs import read_run
from seatrial.app.take_down import take_down
from seatrial.app.wiring import Machine
from seatrial.comparison.recorded import Side
from seatrial.model.errors import ExitCode
from seatrial.model.selection import Selection
from seatrial.model.spec import Project
from seatrial.pipeline import FinishedRun

__all__ = ["RepeatedRuns", "run_side"]

_TESTS_RAN: Final = (ExitCode.PASSED, ExitCode.TESTS_FAILED)


@dataclass(frozen=True, slots=True)
class RepeatedRuns:
    """The runs of one environment.

    Attributes:
        side: the recorded runs.
        ended: the finished runs, for their exit codes and problems.
    """

    side: Side
    ended: tuple[FinishedRun, ...] = field(default=())


def run_side(
    this: Machine,
    project: Project,
    *,
    name: str,
    selection: Selection,
    repetitions: int,
    output: run_lifecycle.Output,
    say: Callable[[str], None],
    pytest_args: tuple[str, ...] = (),
) -> RepeatedRuns:
    """Run the tests in the kept environment of a project, else in a new one that is removed afterwards.

    After a run in which the tests did not run to their end, no repetition follows.

    Args:
        this: the machine.
        project: the project, configured for one kind of environment.
        name: name of the side.
        selection: options of the command that select the project.
        repetitions: number of runs.
        output: where the events and pytest's output go.
        say: prints a line for the user.
        pytest_args: arguments for pytest.

    Raises:
        SeatrialError: the environment cannot be used or created.
        KeyboardInterrupt: the user interrupted a run.
    """
    kept = environments.find(this, project) is not None
    ended: list[FinishedRun] = []
    try:
        for number in range(repetitions):
            again = kept or number > 0
            record = (
                environments.claim(this, project)
                if again
                else environments.create(this, project, command="run", say=say)
            )
            last = number == repetitions - 1
            keep = "always" if kept or not last else "never"
            run = run_lifecycle.run_in_environment(
                this,
                project,
                record,
                output=output,
                command=("test" if again else "run", *pytest_args),
                selection=replace(selection, environment=project.environment),
                keep=keep,
                tests=True,
                pytest_args=pytest_args,
            )
            if isinstance(run.problem, KeyboardInterrupt):
                raise run.problem
            ended.append(run)
            if run.result.exit not in _TESTS_RAN:
                break
    finally:
        if not kept and environments.find(this, project) is not None:
            take_down(this, project, "", say)
    runs = project.root / ".seatrial" / "runs"
    return RepeatedRuns(Side(name=name, runs=tuple(read_run(runs / each.result.run) for each in ended)), tuple(ended))
