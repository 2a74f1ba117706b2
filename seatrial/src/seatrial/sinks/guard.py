"""Turn workflow commands of GitHub Actions off while the tests run.

pytest's output passes to stdout in pieces, so a command in it cannot be recognized reliably. GitHub ignores every
command from `::stop-commands::TOKEN` until `::TOKEN::`, and the tests do not know the token.
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
    """Write the two lines around the stage `test`.

    Args:
        stream: the stream of pytest's output; lines of two streams would have no certain order.
        token: returns a new secret token.
    """

    def __init__(self, stream: TextIO, *, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self._stream = stream
        self._make_token = token
        self._token = ""

    def __call__(self, event: Event, /) -> None:
        """Turn commands off before the tests, and on after them."""
        match event.body:
            case e.StageStarted(stage=Stage.TEST) if not self._token:
                self._token = self._make_token()
                print(f"::stop-commands::{self._token}", file=self._stream, flush=True)
            case e.StageEnded(stage=Stage.TEST):
                self.close()

    def close(self) -> None:
        """Turn commands on again."""
        if self._token:
            # The last line of the tests may have no line feed.
            print(f"\n::{self._token}::", file=self._stream, flush=True)
            self._token = ""
