"""Define the errors that foundry prints for a user: message, reason and hint."""

from __future__ import annotations


class FoundryError(Exception):
    """An expected failure. The command prints it without a traceback and exits 1.

    Args:
        message: what failed, in one line.
        reason: the cause, if known; may hold the last lines of a log.
        hint: what the user can do about it.
    """

    def __init__(self, message: str, reason: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint

    def lines(self) -> list[str]:
        """Return the error as lines for a terminal."""
        lines = [f"foundry: {self.message}"]
        if self.reason:
            first, *rest = self.reason.splitlines()
            lines += [f"  reason: {first}", *(f"          {line}" for line in rest)]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return lines


class UsageError(FoundryError):
    """A wrong argument or artifact list, found before any change was made: exit 4."""


class CommandFailedError(FoundryError):
    """A program failed with a non-zero exit code.

    Args:
        argv: the command that was run.
        status: its exit code; negative for a signal.
        tail: the last lines of its output.
    """

    def __init__(self, argv: tuple[str, ...], status: int, tail: str) -> None:
        super().__init__(f"{argv[0]} failed with exit code {status}", tail)
        self.argv = argv
        self.status = status
        self.tail = tail
