"""Find the line of each key of a TOML document, which `tomllib` does not return.

The document must be valid: this scanner finds keys, headers and elements and checks nothing.
Grammar: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final, NamedTuple

__all__ = ["KeyPath", "Position", "dotted", "positions"]

KeyPath = tuple[str | int, ...]
"""Names of keys and indices of array elements, from the top: `("release", 0, "chart")`."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\r\n]*")


class Position(NamedTuple):
    """A place in a text; lines and columns count from 1."""

    line: int
    column: int


def dotted(path: KeyPath) -> str:
    """Format a path: `release[0].chart`. Keys are quoted as in TOML."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            text += f".{key}" if text else key
    return text


def positions(text: str) -> dict[KeyPath, Position]:
    """Return the place of each key, table and array element of a valid TOML document.

    The place of a table is its first header, or the first key that mentions it.
    """
    scanner = _Scanner(text)
    scanner.document()
    starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(offset: int) -> Position:
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)

    return {path: position(offset) for path, offset in scanner.found.items()}


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._elements: dict[KeyPath, int] = {}
        self.found: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        start = self._at
        brackets = 2 if self._text.startswith("[[", start) else 1
        self._at += brackets
        *parents, name = self._keys()
        self._at += brackets
        path: KeyPath = ()
        for parent in parents:
            path = self._inside((*path, parent), start)
        path = (*path, name)
        if brackets == 1:
            return self._inside(path, start)
        index = self._elements.get(path, -1) + 1
        self._elements[path] = index
        self._record(path, start)
        self._record((*path, index), start)
        return (*path, index)

    def _inside(self, path: KeyPath, offset: int) -> KeyPath:
        """Return the path for keys below `path`: its last element if it is an array of tables."""
        self._record(path, offset)
        return (*path, self._elements[path]) if path in self._elements else path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._record(path, start)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            if (match := _STRING.match(self._text, self._at)) is not None:
                keys.append(next(iter(tomllib.loads(f"{match[0]} = 0"))))
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if match is None:
                    raise AssertionError(f"no key at offset {self._at} of a document that tomllib accepted")
                keys.append(match[0])
            self._at = match.end()
            self._skip(_SPACE)
            if self._peek() != ".":
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._peek() != "]":
            self._record((*path, index), self._at)
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self._peek() == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._peek() != "}":
            self._pair(path)
            self._skip(_BLANK)
            if self._peek() == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _record(self, path: KeyPath, offset: int) -> None:
        self.found.setdefault(path, offset)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
