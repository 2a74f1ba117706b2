"""Keep GitHub Actions from obeying what pytest prints: no workflow command counts while the tests run.

pytest's output passes to stdout in pieces, so a command in it cannot be recognized for certain. GitHub stops obeying
any command from `::stop-commands::TOKEN` until `::TOKEN::`, and nobody who prints knows the token.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#stopping-and-starting-workflow-commands
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TextIO

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.result import Stage

__all__ = ["CommandGuard"]


class CommandGuard:
    """Writes the two lines around the stage `test`.

    Args:
        stream: where pytest's output goes; only in one stream is the order of lines certain.
        token: makes the word that ends the stop.
    """

    def __init__(self, stream: TextIO, *, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._stream = stream
        self._make_token = token
        self._token = ""

    def __call__(self, event: Event, /) -> None:
        """Stop commands before the tests begin; let them count again when they have ended."""
        match event.body:
            case e.StageStarted(stage=Stage.TEST) if not self._token:
                self._token = self._make_token()
                print(f"::stop-commands::{self._token}", file=self._stream, flush=True)
            case e.StageEnded(stage=Stage.TEST):
                self.close()

    def close(self) -> None:
        """Let commands count again."""
        if self._token:
            # The tests may have left a line without an end.
            print(f"\n::{self._token}::", file=self._stream, flush=True)
            self._token = ""
