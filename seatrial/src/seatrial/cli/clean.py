"""Command `seatrial clean`: remove expired environments and leftovers of killed commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from seatrial.model.spec import Project

__all__ = ["command", "numbers"]


def numbers(text: str) -> frozenset[int]:
    """Return the pull requests of `41,42`.

    Raises:
        UsageError: a part is not a number.
    """
    parts = [part.strip().removeprefix("#") for part in text.split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdigit()]:
        raise UsageError(f"--keep-prs {wrong[0]!r} is not the number of a pull request", hint="--keep-prs 41,42")
    return frozenset(int(part) for part in parts)


@plain_command(
    examples=(
        ("seatrial clean", "expired environments and leftovers of killed commands"),
        ("seatrial clean --all", "kept environments of all projects as well"),
        ("seatrial clean --keep-prs 41,42", "environments pr-N of other pull requests, on whatever machine created"),
        ("seatrial clean --cache", "the registry's images and images built for projects"),
    )
)
@click.option("--all", "everything", is_flag=True, help="Also kept environments of all projects that are not in use.")
@click.option("--cache", is_flag=True, help="Also the caches that make runs quick: pushed and built images.")
@click.option(
    "--keep-prs", metavar="NUMBERS", help="Also environments pr-N of this project, except those of these pull requests."
)
@click.pass_obj
def command(context: Context, *, everything: bool, cache: bool, keep_prs: str | None) -> ExitCode:
    """Remove expired environments and leftovers of killed commands.

    Nothing is removed that seatrial did not create. With --keep-prs, or with `provider = "existing"`, environments of
    this project that other machines created are removed too: the labels of their namespaces name their project.
    """
    from seatrial.app.clean_up import clean_up  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415

    keep = None if keep_prs is None else numbers(keep_prs)
    project = _project(context, required=keep is not None)
    removed = clean_up(machine(), project, context.say, everything=everything, cache=cache, keep=keep)
    context.print_result(removed, f"removed: {', '.join(removed)}" if removed else "nothing to remove")
    return ExitCode.PASSED


def _project(context: Context, *, required: bool) -> Project | None:
    """Return the project; None outside of a project if none is required: then only this machine is cleaned."""
    try:
        return context.project
    except UsageError:
        if required:
            raise
        return None
