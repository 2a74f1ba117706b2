"""Command `seatrial parity`: run the tests in Compose and in Kubernetes, and decide whether Compose can be dropped."""

from __future__ import annotations

import click

from seatrial.cli.compare import compare_environments, shared_options
from seatrial.cli.declaration import pytest_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@pytest_command(
    examples=(
        ("seatrial parity", "all tests in Compose and in Kubernetes, and the differences"),
        ("seatrial parity --ready", "fail unless Compose can be dropped"),
        ("seatrial parity --reruns 2", "each environment three times: tells flaky tests apart"),
        ("seatrial parity -k s3", "options of pytest"),
    )
)
@click.option("--ready", is_flag=True, help="End with exit code 13 unless all four conditions are proven.")
@shared_options
@click.pass_obj
def command(
    context: Context,
    *,
    ready: bool,
    reruns: int,
    max_median: float | None,
    max_test: float | None,
    accepted: str | None,
    markdown: str | None,
    pytest_args: tuple[str, ...],
) -> ExitCode:
    """Run the tests in Compose and in Kubernetes, and decide whether Compose can be dropped.

    Four conditions: all Compose tests also pass in kind, no environment-specific failures, comparable performance, and
    logs and debugging work in both. An environment that `seatrial up` keeps is used and stays.
    """
    return compare_environments(
        context,
        ("compose", "kubernetes"),
        reruns=reruns,
        ready=ready,
        ratios=(max_median, max_test),
        accepted=accepted,
        markdown=markdown,
        pytest_args=pytest_args,
    )
