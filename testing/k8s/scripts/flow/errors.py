"""How a run fails. Exit codes as docs say: 0 and 1 to 5 are pytest's, the rest tells whose fault it was."""

from __future__ import annotations

from collections.abc import Sequence

USAGE = 4  # found wrong before anything was created
ENVIRONMENT = 10  # the cluster, an image, a service; not a test
OUT_OF_TIME = 11
INCONCLUSIVE = 12  # tests seem to have passed, but nothing proves it
INTERRUPTED = 130


class Failure(Exception):
    """What went wrong, why, and what to try; `code` is the exit code of the run."""

    def __init__(self, what: str, *, why: str = "", hint: str = "", code: int = ENVIRONMENT) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        """Return the lines a person reads."""
        lines = [self.what]
        lines += [f"  why: {self.why}"] if self.why else []
        lines += [f"  try: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class CommandFailed(Failure):
    """A program ended with an error; `tail` is the end of what it printed."""

    def __init__(self, argv: Sequence[str], status: int, tail: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.tail = tail
        super().__init__(f"`{' '.join(argv[:4])}{' …' if len(argv) > 4 else ''}` failed ({status})", why=tail)  # noqa: PLR2004


class Interrupted(BaseException):
    """A signal asked the run to end, or another part of it failed. Not an Exception: nothing may swallow it."""
