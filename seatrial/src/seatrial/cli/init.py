"""Command `seatrial init`: write seatrial.toml from the files of the project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.declaration import plain_command
from seatrial.cli.options import Context
from seatrial.model.errors import CommandFailed, ExitCode, OutOfTime, UsageError

if TYPE_CHECKING:
    from seatrial.config.detect import Detected
    from seatrial.config.draft_services import FoundService

__all__ = ["command"]

_RENDER_TIMEOUT = 60.0
"""Seconds for Helm to render a chart."""


@plain_command(
    examples=(
        ("seatrial init", "in the project's directory"),
        ("seatrial init --print", "print the file, write nothing"),
        ("seatrial init --dockerfile", "also write a Dockerfile for the tests"),
    )
)
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it.")
@click.option("--dockerfile", "with_dockerfile", is_flag=True, help="Also write Dockerfile.tests if it does not exist.")
@click.pass_obj
def command(ctx: Context, *, only_print: bool, with_dockerfile: bool) -> ExitCode:
    """Write seatrial.toml from the files of the project.

    Reads charts, Dockerfiles, pytest's settings, Compose files and kind configurations. Prints what it found, and each
    value that it guessed with how to correct it. Never overwrites a file.
    """
    from seatrial.config.detect import detect  # noqa: PLC0415
    from seatrial.config.draft import dockerfile, draft  # noqa: PLC0415 - keeps --help quick

    root = Path(ctx.project_at or ".").resolve()
    if not root.is_dir():
        raise UsageError(f"{root} is not a directory", hint="pass the project's directory to -C")
    target = root / "seatrial.toml"
    if target.exists() and not only_print:
        raise UsageError(f"{target} already exists", hint="seatrial config lint, or seatrial init --print to compare")
    found = detect(root)
    written = []
    if with_dockerfile and not (root / "Dockerfile.tests").exists():
        text = dockerfile(found)
        if only_print:
            print(f"# Dockerfile.tests\n{text}\n# seatrial.toml", file=sys.stdout)
        else:
            (root / "Dockerfile.tests").write_text(text, encoding="utf-8")
            written.append("Dockerfile.tests")
            found = detect(root)
    if not found.dockerfiles:
        raise UsageError(
            f"no Dockerfile in {root}",
            reason="the tests run in an image with the tests, their dependencies and pytest",
            hint="seatrial init --dockerfile writes one",
        )
    services, failed = _services(root, found)
    result = draft(found, services, _project_id(target, found.name))
    if only_print:
        print(result.text, end="")
        return ExitCode.PASSED
    target.write_text(result.text, encoding="utf-8")
    written.append(target.name)
    _lint(ctx, target)
    guessed = [*failed, *result.guessed]
    document = {"written": written, "found": result.found, "guessed": guessed}
    ctx.print_result(
        document,
        "\n".join(
            [
                *(f"found    {line}" for line in result.found),
                *(f"guessed  {line}" for line in guessed),
                *(f"wrote    {line}" for line in written),
                "next     seatrial run",
            ]
        ),
    )
    return ExitCode.PASSED


def _project_id(target: Path, name: str) -> str:
    """Return the project id of an existing configuration, else a new id."""
    import tomllib  # noqa: PLC0415 - keeps --help quick

    from seatrial.model.names import new_project_id  # noqa: PLC0415

    try:
        present = tomllib.loads(target.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        present = None
    return present if isinstance(present, str) else new_project_id(name)


def _services(root: Path, found: Detected) -> tuple[list[FoundService], list[str]]:
    """Return the Services of the charts, and one line for each chart that cannot be rendered."""
    import yaml  # noqa: PLC0415 - keeps --help quick

    from seatrial.app.wiring import machine  # noqa: PLC0415
    from seatrial.config.draft_services import services_of  # noqa: PLC0415
    from seatrial.model.deadline import Deadline  # noqa: PLC0415

    services: list[FoundService] = []
    failed: list[str] = []
    if not found.charts:
        return services, failed
    processes = machine().processes
    if not processes.find("helm"):
        return services, ["[service.…]: helm is not on PATH; add a table for each service of the charts"]
    deadline = Deadline.after(_RENDER_TIMEOUT)
    for chart in found.charts:
        argv = ["helm", "template", chart.name, str(root / chart.path), "--namespace", found.name]
        try:
            rendered = processes.run(argv, deadline=deadline, cwd=root).stdout
            services += services_of([obj for obj in yaml.safe_load_all(rendered) if isinstance(obj, dict)])
        except (CommandFailed, OutOfTime, yaml.YAMLError) as error:
            reason = getattr(error, "reason", "") or str(error)
            failed.append(f"[service.…]: helm template {chart.path} failed ({reason}); add a table for each service")
    return services, failed


def _lint(ctx: Context, target: Path) -> None:
    """Print the warnings of `seatrial config lint` for the new file."""
    from seatrial.config import load  # noqa: PLC0415 - keeps --help quick
    from seatrial.config.lint import lint  # noqa: PLC0415

    for problem in lint(load(str(target), environ={})):
        ctx.say(str(problem))
