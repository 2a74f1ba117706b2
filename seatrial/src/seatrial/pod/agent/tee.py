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

_REPLAYED_HOOK = "replayed"
_MODULES: dict[str, str] = {}
_OWN: set[Any] = set()
"""Code of hooks that the host runs too and that call the terminal writer themselves: most writes, found at once."""
_DIRECT = 5
_SEP = os.sep
_PLUGGY = os.path.dirname(pluggy.__file__) + _SEP


class Tee:
    """Stands in for the file of pytest's terminal writer.

    Args:
        log: path of the file that the supervisor copies to the container's log: gets everything.
        foreign: called with what the host cannot write by itself, and whether it belongs to a result being shown.
        flush: called when some of that is to be seen now.
        verbatim: the host writes nothing by itself, so all text is foreign.
    """

    encoding = "utf-8"

    def __init__(self, log: str, foreign: Callable[..., None], flush: Callable[[], None], *, verbatim: bool) -> None:
        self._fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._write, self._frame = os.write, sys._getframe
        self._pending: list[str] = []
        self._foreign = foreign
        self._flush_foreign = flush
        self._has_foreign = False
        self._verbatim = verbatim

    def write(self, text: str) -> int:
        """Take a piece of text."""
        self._pending.append(text)
        if self._frame(3).f_code in _OWN and not self._verbatim:
            return len(text)
        if self._verbatim:
            self._foreign(text, showing=False)
            self._has_foreign = True
        elif (hook := _writer(self._frame(1))) != _REPLAYED_HOOK:
            showing = hook == "pytest_runtest_logreport"
            self._foreign(text, showing=showing)
            self._has_foreign = self._has_foreign or not showing
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
                    data = data[self._write(self._fd, data) :]
            except OSError:
                return  # a full disk must not fail a test; the frames will tell

    def isatty(self) -> bool:
        """Return that this is no terminal."""
        return False

    def fileno(self) -> int:
        """Return the descriptor of the log."""
        return self._fd


def _writer(frame: Any) -> str:
    """Return the name of the hook that writes, `replayed` if the host runs it too, or nothing."""
    inner = frame
    depth = 2
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PLUGGY):
            code = inner.f_code
            name: str = code.co_name
            replayed = _MODULES.get(code.co_filename)
            if replayed is None:
                replayed = _MODULES[code.co_filename] = _kind(code.co_filename.replace(_SEP, "/"))
            if replayed == "all" or (replayed == "summary" and name == "pytest_terminal_summary"):
                if depth == _DIRECT:
                    _OWN.add(code)
                return _REPLAYED_HOOK
            return name
        inner, frame, depth = frame, frame.f_back, depth + 1
    return ""


def _kind(module: str) -> str:
    if module.endswith("_pytest/runner.py"):
        return "summary"  # --durations
    return "all" if module.endswith(_REPLAYED) else "none"
