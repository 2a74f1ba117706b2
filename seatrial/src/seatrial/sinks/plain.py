"""Plain lines: for CI logs, pipes, dumb terminals."""

from __future__ import annotations

from typing import TextIO

from seatrial.model import event as e
from seatrial.model.event import Event

__all__ = ["Plain"]


class Plain:
    """One line a fact."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, verbose: int = 0) -> None:
        self._stream = stream
        self._quiet = quiet
        self._verbose = verbose

    def __call__(self, event: Event, /) -> None:
        """Write the line of the event, if it has one."""
        match event.body:
            case e.StageStarted(stage=stage) if not self._quiet:
                self._line(f"{stage} …")
            case e.StageProgress(stage=stage, text=text) if not self._quiet:
                self._line(f"{stage}: {text}")
            case e.StageEnded(stage=stage, outcome=outcome, seconds=seconds) if not self._quiet:
                self._line(f"{stage} {outcome} in {seconds:.1f} s")
            case e.FindingMade(finding=finding):
                self._line(f"{finding.subject}: {finding.says}")
            case e.RunEnded(result=result):
                self._line(result.verdict)
            case _:
                pass

    def close(self) -> None:
        """Nothing is left to write."""

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
