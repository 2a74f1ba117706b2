"""The global options: which project, how much output, and where it goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from seatrial.app.run_lifecycle import Output
    from seatrial.config import Loaded
    from seatrial.model.event import Sink
    from seatrial.model.selection import Selection
    from seatrial.model.spec import Project

__all__ = ["COLOR_CHOICES", "Context"]

COLOR_CHOICES: Final = ("auto", "always", "never")


@dataclass(frozen=True, kw_only=True)
class Context:
    """The global options of one command line. Commands receive it by `click.pass_obj`.

    Attributes:
        project_at: directory or file given by `-C`; None: search upwards from the working directory.
        settings: `KEY=VALUE` given by `--set`, each with the option that set it.
        quiet: print only errors and the result.
        verbose: how often `-v` was given.
        as_json: print the result, and nothing else, on stdout as one JSON document.
        color_choice: auto, always or never.
        environment: kind of environment, given by `--env`; empty: as configured.
        namespace: name of a guest environment; empty: the configured namespaces.
    """

    project_at: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    quiet: bool = False
    verbose: int = 0
    as_json: bool = False
    color_choice: str = "auto"
    environment: str = ""
    namespace: str = ""

    @cached_property
    def loaded(self) -> Loaded:
        """The configuration with the source of every value. Read once.

        Raises:
            UsageError: there is no configuration, or it has an error.
        """
        from seatrial.config import load  # noqa: PLC0415 - keeps --help quick

        chosen = ((f"environment={self.environment}", "--env"),) if self.environment else ()
        return load(self.project_at, settings=(*self.settings, *chosen))

    def learn_secrets(self) -> None:
        """Read the secrets of the configuration, which output hides. A run from elsewhere is shown without them."""
        from seatrial.model.errors import UsageError  # noqa: PLC0415 - keeps --help quick

        with suppress(UsageError):
            _ = self.loaded

    @property
    def project(self) -> Project:
        """The configuration, with the namespaces of `--namespace`. Raises as `loaded` does."""
        if not self.namespace:
            return self.loaded.project
        if self.loaded.project.environment == "compose":
            from seatrial.model.errors import UsageError  # noqa: PLC0415

            raise UsageError("--namespace requires Kubernetes", hint="remove it, or add --env kubernetes")
        from seatrial.config.guest import guest_project  # noqa: PLC0415 - keeps --help quick

        return guest_project(self.loaded.project, self.namespace)

    @property
    def selection(self) -> Selection:
        """The options and variables that select the project and its environment."""
        from seatrial.config import overrides  # noqa: PLC0415 - keeps --help quick
        from seatrial.model.selection import Selection  # noqa: PLC0415

        return Selection(
            project=self.project_at or "",
            settings=tuple(setting for setting, _ in self.settings),
            environment=self.environment,
            namespace=self.namespace,
            variables=overrides.variables_in(os.environ),
        )

    @property
    def runs(self) -> Path:
        """The directory of past runs: `.seatrial/runs` of the project, a folder for each run and the link `latest`."""
        return self.project.root / ".seatrial" / "runs"

    @property
    def out(self) -> TextIO:
        """Where pytest's output goes: stdout, or stderr with `--json`."""
        return sys.stderr if self.as_json else sys.stdout

    def color(self, stream: TextIO) -> bool:
        """Whether to color `stream`: by `--color`, else by NO_COLOR, FORCE_COLOR, TERM and whether it is a terminal."""
        if self.color_choice != "auto":
            return self.color_choice == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def output(self) -> Output:
        """Where a run is shown."""
        from seatrial.app.run_lifecycle import Output  # noqa: PLC0415 - keeps --help quick

        return Output(sinks=self.sinks, out=self.out, color=self.color(self.out))

    def sinks(self, run_dir: Path) -> list[Sink]:
        """Return the sinks of a run: writers of `events.jsonl` and `report.html` in `run_dir`, a renderer on stderr.

        The renderer is a live console on a terminal, groups and annotations on GitHub Actions, and plain lines
        everywhere else. With `-q` or `--json` it prints only errors and the verdict, as plain lines.
        """
        from seatrial.report.writer import ReportWriter  # noqa: PLC0415 - keeps --help quick
        from seatrial.sinks.choose import renderer  # noqa: PLC0415
        from seatrial.sinks.guard import CommandGuard  # noqa: PLC0415
        from seatrial.sinks.jsonl import JsonLines  # noqa: PLC0415

        on_github = os.environ.get("GITHUB_ACTIONS") == "true"
        guard = [CommandGuard(self.out)] if on_github else []
        summary = os.environ.get("GITHUB_STEP_SUMMARY") if on_github and not (self.quiet or self.as_json) else None
        return [
            JsonLines(run_dir / "events.jsonl"),
            ReportWriter(run_dir, self.say, summary=summary),
            *guard,
            renderer(
                sys.stderr,
                environ=os.environ,
                color=self.color(sys.stderr),
                quiet=self.quiet or self.as_json,
                verbose=self.verbose,
                shares_terminal=self.out.isatty(),
                commands=self.out,
            ),
        ]

    def say(self, text: str) -> None:
        """Print a progress line for the user on stderr, unless `-q` was given."""
        if not self.quiet:
            from seatrial.model.redaction import SECRETS  # noqa: PLC0415 - keeps --help quick
            from seatrial.model.text import safe_text  # noqa: PLC0415

            print(safe_text(SECRETS.text(text), colors=True), file=sys.stderr)

    def print_result(self, value: object, text: str | Callable[[], str]) -> None:
        """Print a command's result on stdout: `value` as JSON with `--json`, else `text`.

        Args:
            value: anything msgspec encodes.
            text: the same for people, or a function that returns it.
        """
        if self.as_json:
            self.print_json(value)
        else:
            from seatrial.model.redaction import SECRETS  # noqa: PLC0415 - keeps --help quick
            from seatrial.model.text import safe_text  # noqa: PLC0415

            shown = (text if isinstance(text, str) else text()).rstrip("\n")
            print(safe_text(SECRETS.text(shown), colors=True))

    def print_json(self, value: object) -> None:
        """Print a value on stdout as JSON, whatever the options are."""
        import msgspec  # noqa: PLC0415 - keeps --help quick

        from seatrial.model.redaction import SECRETS  # noqa: PLC0415
        from seatrial.model.text import safe_json  # noqa: PLC0415

        encoded = msgspec.json.encode(value, enc_hook=_encode)
        print(safe_json(SECRETS.text(msgspec.json.format(encoded, indent=2).decode())))


def _encode(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))
