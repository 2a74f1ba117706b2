"""Match paths against the rules of `.dockerignore`. Pure.

Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files, matched by moby/patternmatcher: a pattern
also matches what is below what it matches, the last match decides, `!` brings back.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["BadPattern", "DockerIgnore", "translate"]

_WILD: Final = re.compile(r"[*?\[\\]")
_CLASS: Final = re.compile(r"\[(\^?+)((?:\\.|[^\]\\-])(?:\\.|[^\]\\])*)\]", re.DOTALL)


class BadPattern(ValueError):
    """A pattern that the builder refuses.

    Attributes:
        line: of the file, from 1; 0 if there is no file.
    """

    def __init__(self, pattern: str, line: int = 0) -> None:
        super().__init__(pattern)
        self.pattern = pattern
        self.line = line


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    keep: bool
    parts: tuple[str, ...]

    def reaches_below(self, directory: str) -> bool:
        """Return False if nothing below the directory can match but by the directory itself or those above it."""
        names = directory.split("/")
        for part, name in zip(self.parts, names, strict=False):
            if "**" in part:
                return True
            if not _WILD.search(part) and part != name:
                return False
        return len(self.parts) > len(names)


class DockerIgnore:
    """The rules of one `.dockerignore`.

    Raises:
        BadPattern: one of them is none.
    """

    def __init__(self, text: str = "") -> None:
        # Not splitlines(): only a line feed ends a line there.
        lines = text.removeprefix("\ufeff").split("\n")
        self._rules = [rule for number, line in enumerate(lines, 1) if (rule := _rule(line, number))]

    def ignored(self, path: str, *, directory: bool = False) -> bool:
        """Return whether the file is left out, or the directory with all that is in it.

        Args:
            path: relative to the build context.
            directory: it is one: left out only if no `!` rule brings back something in it.
        """
        ignored, after = False, 0
        lines = _with_parents(path)
        for number, rule in enumerate(self._rules, 1):
            if rule.keep == ignored and any(rule.pattern.fullmatch(line) for line in lines):
                ignored, after = not rule.keep, number
        if ignored and directory:
            return not any(rule.keep and rule.reaches_below(path) for rule in self._rules[after:])
        return ignored


def _with_parents(path: str) -> list[str]:
    """Return the path and the directories above it, nearest first, without the root."""
    found = [path]
    while (cut := path.rfind("/")) > 0:
        path = path[:cut]
        found.append(path)
    return found


def _rule(line: str, number: int) -> _Rule | None:
    if line.startswith("#"):
        return None
    text = line.strip()
    keep = text.startswith("!")
    text = text[1:].strip() if keep else text
    if not text:
        if keep:
            raise BadPattern(line.strip(), number)
        return None
    text = posixpath.normpath(text).lstrip("/")
    if text in ("", "."):
        return None
    try:
        return _Rule(re.compile(translate(text), re.DOTALL), keep, parts=tuple(text.split("/")))
    except (BadPattern, re.error) as error:
        raise BadPattern(line.strip(), number) from error


def translate(text: str) -> str:
    """Return a pattern of the builder as a regular expression.

    Raises:
        BadPattern: it is none.
    """
    out, index = [], 0
    while index < len(text):
        char = text[index]
        if char == "*" and text[index : index + 2] == "**":
            index += 2
            if text[index : index + 1] == "/":
                index += 1
            out.append(".*" if index >= len(text) else "(?:.*/)?")
            continue
        index += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\":
            if index >= len(text):
                raise BadPattern(text)
            out.append(re.escape(text[index]))
            index += 1
        elif char == "[":
            match = _CLASS.match(text, index - 1)
            if match is None:
                raise BadPattern(text)
            out.append(f"[{match[1]}{_escaped(match[2])}]")
            index = match.end()
        else:
            out.append(re.escape(char))
    expression = "".join(out)
    try:
        re.compile(expression)
    except re.error as error:
        raise BadPattern(text) from error
    return expression


def _escaped(content: str) -> str:
    """Return the inside of a character class, where only `-` and the escape character mean anything."""
    return re.sub(r"\\(.)|([\[^&~|!])", lambda match: f"\\{match[1] or match[2]}", content, flags=re.DOTALL)
