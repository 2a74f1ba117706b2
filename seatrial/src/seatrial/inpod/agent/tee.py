"""The terminal of pytest inside the pod: who writes what.

The host replays results through a pytest of its own, which writes again what pytest's terminal reporter wrote here.
Everything else on that terminal (live logs, the coverage table, xdist's lines, the debugger's) exists here only and has
to travel as text. Who wrote is decided by the hook implementation that stands nearest on the stack.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

import pluggy

__all__ = ["Tee"]

_REPLAYED = ("_pytest/terminal.py", "_pytest/junitxml.py")
"""Modules whose hooks the host runs too."""

_PLUGGY = os.path.dirname(pluggy.__file__) + os.sep


class Tee:
    """Stands in for the file of pytest's terminal writer.

    Args:
        log: path of the file that the supervisor copies to the container's log: gets everything.
        foreign: called with what the host cannot write by itself.
        flush: called when some of that is to be seen now.
        verbatim: the host writes nothing by itself, so all text is foreign.
    """

    encoding = "utf-8"

    def __init__(self, log: str, foreign: Callable[[str], None], flush: Callable[[], None], *, verbatim: bool) -> None:
        self._fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._pending: list[str] = []
        self._foreign = foreign
        self._flush_foreign = flush
        self._has_foreign = False
        self._verbatim = verbatim

    def write(self, text: str) -> int:
        """Take a piece of text."""
        self._pending.append(text)
        if self._verbatim or not _replayed():
            self._foreign(text)
            self._has_foreign = True
        return len(text)

    def flush(self) -> None:
        """Write what there is to the log; let go what is foreign."""
        if self._has_foreign:
            self._has_foreign = False
            self._flush_foreign()
        if self._pending:
            data = "".join(self._pending).encode("utf-8", "backslashreplace")
            self._pending.clear()
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                return  # a full disk must not fail a test; the frames will tell

    def isatty(self) -> bool:
        """Return that this is no terminal."""
        return False

    def fileno(self) -> int:
        """Return the descriptor of the log."""
        return self._fd


def _replayed() -> bool:
    """Return whether the writer is a hook that the host replays."""
    frame: Any = sys._getframe(2)
    inner = frame
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PLUGGY):
            module = inner.f_code.co_filename.replace(os.sep, "/")
            if module.endswith("_pytest/runner.py"):
                return bool(inner.f_code.co_name == "pytest_terminal_summary")  # --durations
            return bool(module.endswith(_REPLAYED))
        inner, frame = frame, frame.f_back
    return False
