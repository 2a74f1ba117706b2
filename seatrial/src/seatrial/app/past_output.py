"""Show pytest's output of a past run between its other events."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.model.event import Event, Sink
from seatrial.model.redaction import SECRETS
from seatrial.model.result import Stage
from seatrial.runner.replay import has_output, past_verdict, show_output

__all__ = ["PastOutput"]


class PastOutput:
    """Writes what pytest printed when an event ends the tests, unless all of them passed.

    Args:
        run_dir: directory of the run.
        out: where to.
        color: whether to keep colors.
        always: also write the output of tests that passed.
        guard: keeps a CI system from obeying what is written, from the start of the tests to its end.
        warn: takes why not all could be shown.
    """

    def __init__(
        self, run_dir: Path, out: TextIO, *, color: bool, always: bool, guard: Sink | None, warn: Callable[[str], None]
    ) -> None:
        self._run_dir = run_dir
        self._out = out
        self._color = color
        self._always = always
        self._guard = guard
        self._warn = warn
        self._started: Event | None = None

    def __call__(self, event: Event) -> None:
        """Write the output if the event ends the tests. Call it before a renderer gets the event."""
        match event.body:
            case e.StageStarted(stage=Stage.TEST):
                self._started = event
            case e.StageEnded(stage=Stage.TEST):
                self.close()

    def close(self) -> None:
        """Write the output of tests that never ended."""
        started, self._started = self._started, None
        if started is None or not has_output(self._run_dir):
            return
        if past_verdict(self._run_dir).exit is ExitCode.PASSED and not self._always:
            return
        if self._guard is not None:
            self._guard(started)
        width = shutil.get_terminal_size().columns
        lost = show_output(self._run_dir, self._out, color=self._color, width=width, redact=SECRETS.text)
        self._out.flush()
        if self._guard is not None:
            self._guard.close()
        if lost:
            self._warn(f"not all that pytest printed could be shown: {lost}")
