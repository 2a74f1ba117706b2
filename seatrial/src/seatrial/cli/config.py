"""Command `seatrial config`: show the configuration, its schema and its problems."""

from __future__ import annotations

import click

from seatrial.cli.declaration import plain_command, plain_group
from seatrial.cli.options import Context
from seatrial.model.errors import ExitCode

__all__ = ["command"]


@plain_group(
    examples=(
        ("seatrial config show", "every value and its source"),
        ("seatrial config lint", "errors and warnings"),
        ("seatrial config schema > seatrial.schema.json", "for an editor"),
    )
)
def command() -> None:
    """Show the configuration, its schema and its problems."""


@plain_command(
    name="show",
    examples=(
        ("seatrial config show", "every value and its source"),
        ("SEATRIAL_CLUSTER_NAME=ci seatrial config show", "with a value from an environment variable"),
        ("seatrial config show --json", "for scripts"),
    ),
)
@click.pass_obj
def show(ctx: Context) -> ExitCode:
    """Print every value with its source: file and line, environment variable, option or default."""
    from seatrial.config.show import as_text, flatten  # noqa: PLC0415 - keeps --help quick

    settings = flatten(ctx.loaded)
    document = {
        "file": ctx.loaded.file,
        "settings": [
            {
                "key": item.key,
                "value": item.value,
                "source": item.source.origin.name.lower(),
                "where": item.source.where,
            }
            for item in settings
        ],
    }
    ctx.print_result(document, lambda: as_text(settings, ctx.project.root))
    return ExitCode.PASSED


@plain_command(name="schema", examples=(("seatrial config schema > seatrial.schema.json", "for an editor"),))
@click.pass_obj
def schema(ctx: Context) -> ExitCode:
    """Print the JSON Schema of seatrial.toml."""
    from seatrial.config.schema import json_schema  # noqa: PLC0415 - keeps --help quick

    ctx.print_json(json_schema())
    return ExitCode.PASSED


@plain_command(
    name="lint",
    examples=(
        ("seatrial config lint", "before the first run"),
        ("seatrial config lint --strict", "in CI: exit code 4 if there is a warning"),
    ),
)
@click.option("--strict", is_flag=True, help="Exit with code 4 if there are warnings.")
@click.pass_obj
def lint(ctx: Context, *, strict: bool) -> ExitCode:
    """Check the configuration and its local charts; errors exit with code 4, likely mistakes are warnings."""
    from seatrial.app.chart_warnings import chart_warnings  # noqa: PLC0415 - keeps --help quick
    from seatrial.app.wiring import machine  # noqa: PLC0415
    from seatrial.config.lint import lint as find  # noqa: PLC0415

    warnings = [*find(ctx.loaded), *chart_warnings(ctx.loaded, machine())]
    document = {
        "file": ctx.loaded.file,
        "warnings": [{"where": item.where, "message": item.message, "try": item.hint} for item in warnings],
    }
    ctx.print_result(document, "\n".join(f"{item}" for item in warnings) or f"{ctx.loaded.file.name}: no warnings")
    return ExitCode.USAGE if strict and warnings else ExitCode.PASSED


for _command in (show, schema, lint):
    command.add_command(_command)
