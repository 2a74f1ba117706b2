"""Compare recorded runs, with the accepted differences of a reviewed file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seatrial.app import run_lifecycle
from seatrial.app.repeated_runs import RepeatedRuns, run_side
from seatrial.app.wiring import Machine
from seatrial.comparison.accepted import Entry, parse
from seatrial.comparison.compare import compare
from seatrial.comparison.recorded import Side
from seatrial.comparison.tests import Bounds
from seatrial.model.comparison import Comparison
from seatrial.model.errors import ExitCode, UsageError
from seatrial.model.selection import Selection
from seatrial.model.spec import Project

__all__ = ["AcceptedFile", "accepted_entries", "compare_sides", "exit_of", "run_both"]

_PLATFORM: Final = (ExitCode.INCONCLUSIVE, ExitCode.ENVIRONMENT, ExitCode.OUT_OF_TIME, ExitCode.PYTEST_INTERNAL)
"""Exit codes of runs that are no result of the tests, the worst first."""


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """The reviewed file: its name in messages and its entries."""

    name: str = ""
    entries: tuple[Entry, ...] = ()


def accepted_entries(given: str | None, default: Path | None) -> AcceptedFile:
    """Return the entries of the given file, or of the default file if it exists.

    Raises:
        UsageError: the given file cannot be read, or an entry is not valid.
    """
    file = Path(given) if given is not None else default
    if file is None or (given is None and not file.is_file()):
        return AcceptedFile()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}", reason=str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8", reason=str(error)) from error
    return AcceptedFile(name=file.name, entries=parse(text, file.name))


def compare_sides(
    left: Side, right: Side, *, bounds: Bounds, accepted: AcceptedFile, ready: bool = False
) -> Comparison:
    """Return the comparison of two sides as of today."""
    return compare(
        left,
        right,
        bounds=bounds,
        entries=accepted.entries,
        file=accepted.name,
        today=datetime.now(UTC).date(),
        ready=ready,
    )


def run_both(
    this: Machine,
    projects: Mapping[str, Project],
    *,
    selection: Selection,
    reruns: int,
    output: run_lifecycle.Output,
    say: Callable[[str], None],
    pytest_args: tuple[str, ...] = (),
) -> tuple[RepeatedRuns, RepeatedRuns]:
    """Run the tests in two environments, one after the other, and return both.

    The second one runs even if the first one fails: the comparison shows both.

    Args:
        this: the machine.
        projects: name of the side to the project, configured for its kind of environment.
        selection: options of the command that select the project.
        reruns: repetitions after the first run of each side.
        output: where the events and pytest's output go.
        say: prints a line for the user.
        pytest_args: arguments for pytest.

    Raises:
        SeatrialError: an environment cannot be used or created.
    """
    left, right = (
        run_side(
            this,
            project,
            name=name,
            selection=selection,
            repetitions=1 + reruns,
            output=output,
            say=say,
            pytest_args=pytest_args,
        )
        for name, project in projects.items()
    )
    return left, right


def exit_of(comparison: Comparison, runs: Sequence[RepeatedRuns]) -> ExitCode:
    """Return the exit code of a comparison for which tests ran: a failed platform is worse than a difference.

    Tests that fail in both environments alike are no difference, and still end with exit code 1.
    """
    codes = [run.result.exit for each in runs for run in each.ended]
    platform = next((code for code in _PLATFORM if code in codes), None)
    if platform is not None:
        return platform
    if comparison.exit is ExitCode.PASSED:
        return next((code for code in codes if code is not ExitCode.PASSED), ExitCode.PASSED)
    return comparison.exit
