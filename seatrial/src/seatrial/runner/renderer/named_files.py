"""Name collected files by their paths on this machine in what plugins print in the pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from seatrial.pod.agent.wire import COLLECTED_MARK

__all__ = ["name_files"]

_SEPARATOR: Final = re.compile(r"((?:\x1b\[[0-9;]*m)*)(([^\w\s\x1b])\3*) (.+) \2\3?((?:\x1b\[[0-9;]*m)*)")
"""A line of `TerminalWriter.sep`: characters, a title, the same characters and perhaps one more."""


def name_files(text: str, paths: Mapping[str, str], width: int) -> str:
    """Return a text with the paths of collected files replaced.

    A line that pytest filled to the width of the terminal is filled again.

    Args:
        text: what a plugin wrote at once.
        paths: path among the collected files -> path here, the first that fits; folders end with a slash.
        width: of the terminal.
    """
    if COLLECTED_MARK not in text:
        return text
    separator = _SEPARATOR.fullmatch(text)
    for inside, path in paths.items():
        if path.startswith("/"):
            text = text.replace(f"file://{COLLECTED_MARK}/{inside}", _uri(path))
        text = text.replace(f"{COLLECTED_MARK}/{inside}", path)
    if separator is None:
        return text
    before, fill, char, title, after = separator.groups()
    start = len(before) + len(fill) + 1
    title = text[start : len(text) - (len(separator[0]) - separator.end(4))]
    times = max((width - len(title) - 2) // 2, 1)
    line = f"{char * times} {title} {char * times}"
    return f"{before}{line}{char if len(line) < width else ''}{after}"


def _uri(path: str) -> str:
    return Path(path).as_uri() + ("/" if path.endswith("/") else "")
