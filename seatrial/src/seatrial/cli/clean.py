"""`seatrial clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.app.wiring import Machine

__all__ = ["command"]


@plain_command(
    examples=(
        ("seatrial clean", "what dead or expired runs left; every run does that too"),
        ("seatrial clean --all", "kept environments of all projects as well"),
        ("seatrial clean --keep-prs 41,42", "environments pr-N of other pull requests, whoever made them"),
        ("seatrial clean --cache", "the registry's images and images built for projects"),
    )
)
@click.option("--all", "everything", is_flag=True, help="Also what was kept, of all projects, unless it is in use.")
@click.option("--cache", is_flag=True, help="Also what makes the next run quick: pushed and built images.")
@click.option(
    "--keep-prs", metavar="NUMBERS", help="Also environments pr-N of this project but those of these pull requests."
)
@click.pass_obj
def command(context: Context, *, everything: bool, cache: bool, keep_prs: str | None) -> ExitCode:
    """Remove what dead or expired runs left behind.

    Nothing is touched that seatrial did not make. With --keep-prs, or in a project whose cluster is somebody else's,
    environments count that other machines made: their namespaces tell whose they are.
    """
    from seatrial.app import environments  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    this = machine()
    with this.ledger.alone():
        removed = environments.reap(this, this.clock.now(), context.say, everything=everything)
    removed += _in_cluster(context, this, keep_prs)
    if cache:
        removed += environments.drop_cache(this, context.say)
    context.print_result(removed, f"removed: {', '.join(removed)}" if removed else "nothing to remove")
    return ExitCode.PASSED


def _in_cluster(context: Context, this: Machine, keep_prs: str | None) -> list[str]:
    """Remove environments of the project's cluster that have expired or whose pull request is not to be kept."""
    from seatrial.app import shared_environments  # noqa: PLC0415

    keep = None if keep_prs is None else shared_environments.numbers(keep_prs)
    try:
        project = context.project
    except UsageError:
        if keep is None:
            # Everywhere else it is no project that is cleaned, but this machine.
            return []
        raise
    if keep is None and project.cluster.provider != "existing":
        return []
    found = shared_environments.found_in(this, project)
    names = shared_environments.expired(found, this.clock.now())
    if keep is not None:
        names |= shared_environments.superfluous((each.name for each in found), keep)
    return shared_environments.remove(this, project, names, context.say) + shared_environments.remove_lent(
        this, project, context.say
    )
