"""`seatrial compare RUN RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.comparison.tests import Bounds
    from seatrial.model.comparison import Comparison

__all__ = ["ACCEPTED_FILE", "bounds", "command", "show"]

ACCEPTED_FILE: Final = "accepted-differences.toml"


@plain_command(
    examples=(
        ("seatrial compare 20260131-154501-3f2a latest", "two runs of this project"),
        ("seatrial compare ci/before ci/after", "any two run directories"),
        ("seatrial compare RUN,RUN,RUN RUN,RUN,RUN", "with repetitions, which tell flaky tests apart"),
        ("seatrial compare RUN RUN --markdown diff.md", "also write a comment for a pull request"),
    )
)
@click.argument("left")
@click.argument("right")
@click.option("--max-median", type=float, metavar="RATIO", help="Largest accepted median of durations. [default: 1.5]")
@click.option("--max-test", type=float, metavar="RATIO", help="Largest accepted ratio of one test. [default: 3.0]")
@click.option(
    "--accepted", metavar="FILE", help=f"Accepted differences. [default: {ACCEPTED_FILE} beside seatrial.toml]"
)
@click.option("--markdown", metavar="FILE", help="Also write the comparison as Markdown.")
@click.pass_obj
def command(
    context: Context,
    *,
    left: str,
    right: str,
    max_median: float | None,
    max_test: float | None,
    accepted: str | None,
    markdown: str | None,
) -> ExitCode:
    """Compare two runs and explain each difference.

    Compares outcomes and durations of tests, images, variables, limits, names and ports. Exit code 13: they differ.
    """
    from seatrial.app import comparing, recorded_runs  # noqa: PLC0415 - keeps --help quick

    runs = _runs(context)
    one, other = recorded_runs.sides(recorded_runs.read_side(left, runs), recorded_runs.read_side(right, runs))
    entries = comparing.accepted_entries(accepted, runs.parent.parent / ACCEPTED_FILE if runs else None)
    comparison = comparing.compare_sides(one, other, bounds=bounds(max_median, max_test), accepted=entries)
    return show(context, comparison, markdown)


def _runs(context: Context) -> Path | None:
    """Return the directory of the project's runs; None without a project: runs may come from elsewhere."""
    try:
        return context.runs
    except UsageError:
        if context.project_at is not None:
            raise
        return None


def bounds(median: float | None, test: float | None) -> Bounds:
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


def show(context: Context, comparison: Comparison, markdown: str | None) -> ExitCode:
    """Print a comparison, write it as Markdown to a file, and return its exit code."""
    from seatrial.model.redaction import safe_struct  # noqa: PLC0415 - keeps --help quick
    from seatrial.sinks import comparison_text  # noqa: PLC0415

    comparison = safe_struct(comparison)
    if markdown is not None:
        Path(markdown).write_text(comparison_text.markdown(comparison) + "\n", encoding="utf-8")
    context.print_result(comparison, lambda: comparison_text.text(comparison, verbose=bool(context.verbose)))
    return comparison.exit
