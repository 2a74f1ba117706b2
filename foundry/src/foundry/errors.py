"""What can go wrong, told to a user in three lines: what happened, why, and what to try."""

from __future__ import annotations


class FoundryError(Exception):
    """An expected failure: the command prints it without a traceback and exits 1.

    Args:
        what: what could not be done, one line.
        why: the cause as far as it is known; may hold a log's last lines.
        try_: what the reader can do about it.
    """

    def __init__(self, what: str, why: str = "", try_: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.try_ = try_

    def lines(self) -> list[str]:
        """The error as lines for a terminal."""
        told = [f"foundry: {self.what}"]
        if self.why:
            told += [f"  why: {line}" if n == 0 else f"       {line}" for n, line in enumerate(self.why.splitlines())]
        if self.try_:
            told.append(f"  try: {self.try_}")
        return told


class UsageError(FoundryError):
    """A wrong argument or artefact list, found before anything was done: exit 4."""


class CommandFailedError(FoundryError):
    """A program ended with a non-zero status.

    Args:
        argv: the command as it was run.
        status: its exit status; negative for a signal.
        tail: the last lines it printed.
    """

    def __init__(self, argv: tuple[str, ...], status: int, tail: str) -> None:
        super().__init__(f"{argv[0]} ended with status {status}", tail)
        self.argv = argv
        self.status = status
        self.tail = tail
