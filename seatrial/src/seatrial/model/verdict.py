"""The verdict on a test run: its exit code and the words for it."""

from __future__ import annotations

import msgspec

from seatrial.model.errors import ExitCode

__all__ = ["Verdict"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The exit code of a test run and why.

    Attributes:
        exit: the exit code.
        message: one line.
        reason: one more line; empty if the first says it all.
        suspects: tests that had begun and not ended when pytest died.
        proven: pytest reported its own end, and everything that it reported before is complete.
    """

    exit: ExitCode
    message: str
    reason: str = ""
    suspects: tuple[str, ...] = ()
    proven: bool = False

    @property
    def text(self) -> str:
        """Message and reason in one line."""
        return f"{self.message}: {self.reason}" if self.reason else self.message
