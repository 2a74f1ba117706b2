"""Separate the terminal output of pytest in the pod: text that the host renders, and text that only plugins here write.

The host renders results with its own pytest, which writes the text of the terminal reporter again. All other text (live
logs, the coverage table, lines of xdist and the debugger) exists only here and is sent as text. The innermost hook
implementation on the stack decides which one it is.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

import pluggy

__all__ = ["Tee"]

_RENDERED = ("_pytest/terminal.py", "_pytest/junitxml.py")
"""Modules whose hooks also run on the host."""

_RENDERED_HOOK = "rendered"
_MODULES: dict[str, str] = {}
_OWN: set[Any] = set()
"""Code of hooks that also run on the host and write directly. A cache for most writes."""
_DIRECT = 5
_SEP = os.sep
_PLUGGY = os.path.dirname(pluggy.__file__) + _SEP


class Tee:
    """Replace the file of pytest's terminal writer.

    Args:
        log: file that the supervisor copies to the log of the container; gets all text.
        foreign: takes text that the host does not render, and whether it belongs to a result that is being shown.
        flush: called when foreign text has to be shown.
        verbatim: the host renders nothing, so all text is foreign.
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
        """Write text."""
        self._pending.append(text)
        if self._frame(3).f_code in _OWN and not self._verbatim:
            return len(text)
        if self._verbatim:
            self._foreign(text, showing=False)
            self._has_foreign = True
        elif (hook := _writer(self._frame(1))) != _RENDERED_HOOK:
            showing = hook == "pytest_runtest_logreport"
            self._foreign(text, showing=showing)
            self._has_foreign = self._has_foreign or not showing
        return len(text)

    def flush(self) -> None:
        """Write pending text to the log, and flush foreign text."""
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
                return  # a full disk must not fail a test; the frame log shows the loss

    def isatty(self) -> bool:
        """Return False."""
        return False

    def fileno(self) -> int:
        """Return the file descriptor of the log."""
        return self._fd


def _writer(frame: Any) -> str:
    """Return the name of the hook that writes, `rendered` if it also runs on the host; empty without a hook."""
    inner = frame
    depth = 2
    while frame is not None:
        if frame.f_code.co_filename.startswith(_PLUGGY):
            code = inner.f_code
            name: str = code.co_name
            rendered = _MODULES.get(code.co_filename)
            if rendered is None:
                rendered = _MODULES[code.co_filename] = _kind(code.co_filename.replace(_SEP, "/"))
            if rendered == "all" or (rendered == "summary" and name == "pytest_terminal_summary"):
                if depth == _DIRECT:
                    _OWN.add(code)
                return _RENDERED_HOOK
            return name
        inner, frame, depth = frame, frame.f_back, depth + 1
    return ""


def _kind(module: str) -> str:
    if module.endswith("_pytest/runner.py"):
        return "summary"  # --durations
    return "all" if module.endswith(_RENDERED) else "none"
