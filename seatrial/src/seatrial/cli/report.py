"""Command `seatrial report`: explain a run on one page, as Markdown or in a brief."""

from __future__ import annotations

from typing import Final

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import EnvironmentFailed, ExitCode

__all__ = ["command"]

_FORMATS: Final = ("html", "markdown", "brief")


@plain_command(
    examples=(
        ("seatrial report", "write the page of the last run again and print its path"),
        ("seatrial report 20260131-154501-3f2a", "of an older one"),
        ("seatrial report artifacts/run", "of one that came from CI, any directory"),
        ("seatrial report --format markdown", "for a comment on a pull request"),
        ("seatrial report --format brief", "for a coding agent: 2,000 tokens at most"),
    )
)
@click.argument("run", default="latest")
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default="html",
    show_default=True,
    help="html writes report.html into the run directory; markdown and brief are printed.",
)
@click.pass_obj
def command(ctx: Context, *, run: str, format_: str) -> ExitCode:
    """Explain a run on one page, as Markdown or in a brief.

    Every run writes its page, report.html, at its end.
    """
    from seatrial.app.past_runs import find_events  # noqa: PLC0415 - keeps --help quick
    from seatrial.report.writer import page_of, write_page  # noqa: PLC0415

    directory = find_events(run, lambda: ctx.runs).parent
    ctx.learn_secrets()
    page = page_of(directory)
    if format_ == "html":
        try:
            path = write_page(directory, page)
        except OSError as error:
            raise EnvironmentFailed(f"cannot write below {directory}", reason=str(error.strerror)) from error
        ctx.print_result({"report": path}, str(path))
        return ExitCode.PASSED
    from seatrial.report.brief import render_brief  # noqa: PLC0415
    from seatrial.report.markdown import render_markdown  # noqa: PLC0415

    text = render_brief(page) if format_ == "brief" else render_markdown(page)
    ctx.print_result({format_: text}, text)
    return ExitCode.PASSED
