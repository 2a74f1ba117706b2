"""Command `seatrial compare`: compare two runs and explain each difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.comparison.tests import Bounds
    from seatrial.model.comparison import Comparison

__all__ = ["ACCEPTED_FILE", "command", "compare_environments", "shared_options"]

_F = TypeVar("_F", bound=Callable[..., Any])

ACCEPTED_FILE: Final = "accepted-differences.toml"


def shared_options(function: _F) -> _F:
    """Add the options that all comparisons have."""
    options = (
        click.option(
            "--reruns", type=click.IntRange(0, 20), default=0, metavar="N", help="Run each environment N more times."
        ),
        click.option("--max-median", type=float, metavar="RATIO", help="Largest median of durations. [default: 1.5]"),
        click.option("--max-test", type=float, metavar="RATIO", help="Largest ratio of one test. [default: 3.0]"),
        click.option(
            "--accepted",
            metavar="FILE",
            help=f"Accepted differences. [default: {ACCEPTED_FILE} beside the configuration]",
        ),
        click.option("--markdown", metavar="FILE", help="Also write the comparison as Markdown."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@plain_command(
    examples=(
        ("seatrial compare 20260131-154501-3f2a latest", "two runs of this project"),
        ("seatrial compare ci/before ci/after", "any two run directories"),
        ("seatrial compare RUN,RUN,RUN RUN,RUN,RUN", "with repetitions, which tell flaky tests apart"),
        ("seatrial compare --env compose --env kubernetes", "run the tests in both, then compare"),
        ("seatrial compare RUN RUN --markdown diff.md", "also write a comment for a pull request"),
    )
)
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@click.option(
    "--env",
    "kinds",
    multiple=True,
    type=click.Choice(("kubernetes", "compose")),
    help="Run the tests there; give it twice.",
)
@shared_options
@click.pass_obj
def command(
    context: Context,
    *,
    runs: tuple[str, ...],
    kinds: tuple[str, ...],
    reruns: int,
    max_median: float | None,
    max_test: float | None,
    accepted: str | None,
    markdown: str | None,
) -> ExitCode:
    """Compare two runs and explain each difference.

    Compares outcomes and durations of tests, images, variables, limits, names and ports. Exit code 13: they differ.
    """
    ratios = (max_median, max_test)
    if kinds:
        if runs or len(set(kinds)) != 2:  # noqa: PLR2004 - a pair
            raise UsageError(
                "a comparison of environments needs two kinds and no run",
                hint="seatrial compare --env compose --env kubernetes",
            )
        return compare_environments(
            context, kinds, reruns=reruns, ratios=ratios, accepted=accepted, markdown=markdown, pytest_args=()
        )
    if len(runs) != 2 or reruns:  # noqa: PLR2004 - a pair
        raise UsageError(
            "a comparison of recorded runs needs two of them" if not reruns else "--reruns needs --env",
            hint="seatrial compare RUN RUN, or seatrial compare --env compose --env kubernetes",
        )
    return _compare_runs(context, *runs, ratios=ratios, accepted=accepted, markdown=markdown)


def _compare_runs(
    context: Context,
    left: str,
    right: str,
    *,
    ratios: tuple[float | None, float | None],
    accepted: str | None,
    markdown: str | None,
) -> ExitCode:
    """Compare two recorded sides."""
    from seatrial.app import comparing, recorded_runs  # noqa: PLC0415 - keeps --help quick

    runs = _runs(context)
    one, other = recorded_runs.sides(recorded_runs.read_side(left, runs), recorded_runs.read_side(right, runs))
    entries = comparing.accepted_entries(accepted, runs.parent.parent / ACCEPTED_FILE if runs else None)
    return _show(context, comparing.compare_sides(one, other, bounds=_bounds(*ratios), accepted=entries), markdown)


def compare_environments(
    context: Context,
    kinds: tuple[str, ...],
    *,
    reruns: int,
    ratios: tuple[float | None, float | None],
    accepted: str | None,
    markdown: str | None,
    pytest_args: tuple[str, ...],
    ready: bool = False,
) -> ExitCode:
    """Run the tests in environments of two kinds, compare them, and return the exit code.

    Args:
        context: the command line.
        kinds: the kinds, the reference first.
        reruns: repetitions after the first run of each.
        ratios: largest accepted median of the ratios, and ratio of one test; None: the default.
        accepted: file of accepted differences; None: the project's.
        markdown: file for the comparison as Markdown; None: no file.
        pytest_args: arguments for pytest.
        ready: whether all four conditions must be proven.

    Raises:
        SeatrialError: wrong input, or an environment cannot be used or created.
    """
    from seatrial.app import comparing  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    projects = {kind: replace(context, environment=kind).project for kind in kinds}
    # Checked before minutes of runs.
    limits, entries = _bounds(*ratios), comparing.accepted_entries(accepted, context.project.root / ACCEPTED_FILE)
    sides = comparing.run_both(
        machine(),
        projects,
        selection=context.selection,
        reruns=reruns,
        output=context.output,
        say=context.say,
        pytest_args=pytest_args,
    )
    comparison = comparing.compare_sides(*(each.side for each in sides), bounds=limits, accepted=entries, ready=ready)
    _show(context, comparison, markdown)
    return comparing.exit_of(comparison, sides)


def _runs(context: Context) -> Path | None:
    """Return the directory of the project's runs; None without a project: runs may come from elsewhere."""
    try:
        return context.runs
    except UsageError:
        if context.project_at is not None:
            raise
        return None


def _bounds(median: float | None, test: float | None) -> Bounds:
    """Return the bounds of the options.

    Raises:
        UsageError: a ratio is below 1.
    """
    from seatrial.comparison.tests import Bounds  # noqa: PLC0415 - keeps --help quick

    for option, value in (("--max-median", median), ("--max-test", test)):
        if value is not None and not value >= 1:
            raise UsageError(f"{option} {value:g} is below 1", hint=f"{option} 1.5")
    default = Bounds()
    return Bounds(median=median or default.median, test=test or default.test)


def _show(context: Context, comparison: Comparison, markdown: str | None) -> ExitCode:
    """Print a comparison, write it as Markdown to a file, and return its exit code."""
    from seatrial.model.redaction import safe_struct  # noqa: PLC0415 - keeps --help quick
    from seatrial.sinks import comparison_text  # noqa: PLC0415

    comparison = safe_struct(comparison)
    if markdown is not None:
        Path(markdown).write_text(comparison_text.markdown(comparison) + "\n", encoding="utf-8")
    context.print_result(comparison, lambda: comparison_text.text(comparison, verbose=bool(context.verbose)))
    return comparison.exit
