"""Match paths against the rules of `.dockerignore`. Pure.

Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files, as `MatchesUsingParentResults` of
https://github.com/moby/patternmatcher applies them. A pattern also matches the files below a directory that it matches.
The last match decides. A `!` pattern includes a path again, and applies only to a path that is excluded so far:
`!tests/b` after `**/*.txt` does not include `tests/b/c.txt`, because the directory `tests/b` was not excluded.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["BadPattern", "DockerIgnore", "translate"]

_WILD: Final = re.compile(r"[*?\[\\]")
_GO_ESCAPES: Final = {
    **{char: f"\\x{ord(code):02x}" for char, code in zip("afnrtv", "\a\f\n\r\t\v", strict=True)},
    **{char: f"\\{char}" for char in "dDwWsS"},
}
_CLASS: Final = re.compile(r"\[(\^?+)((?:\\.|[^\]\\-])(?:\\.|[^\]\\])*)\]", re.DOTALL)


class BadPattern(ValueError):
    """A pattern that the builder refuses.

    Attributes:
        pattern: the pattern.
        line: its line in the file, from 1; 0 if there is no file.
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
        """Return whether the pattern can match paths below a directory without matching the directory."""
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
        BadPattern: the builder refuses a pattern.
    """

    def __init__(self, text: str = "") -> None:
        # Not splitlines(): only a line feed ends a line.
        lines = text.removeprefix("\ufeff").split("\n")
        self._rules = [rule for number, line in enumerate(lines, 1) if (rule := _rule(line, number))]
        self._parents: dict[str, tuple[bool, ...]] = {"": (False,) * len(self._rules)}

    def ignored(self, path: str, *, directory: bool = False) -> bool:
        """Return whether a file, or a directory with everything in it, is excluded.

        Args:
            path: relative to the build context.
            directory: the path is a directory: excluded only if no `!` rule includes paths in it.
        """
        ignored, _ = self._match(path)
        if ignored and directory:
            # The classic builder skips the directory unless a `!` pattern begins with its name; BuildKit also applies
            # wildcards. An additional file costs a build, a missing one a wrong verdict.
            return not any(rule.keep and rule.reaches_below(path) for rule in self._rules)
        return ignored

    def _match(self, path: str) -> tuple[bool, tuple[bool, ...]]:
        """Return whether a path is excluded, and for each rule whether it or a directory above it matched."""
        ignored, matches = False, []
        for rule, matched in zip(self._rules, self._matches_of(path.rpartition("/")[0]), strict=True):
            match = matched or (rule.keep == ignored and rule.pattern.fullmatch(path) is not None)
            matches.append(match)
            if match:
                ignored = not rule.keep
        return ignored, tuple(matches)

    def _matches_of(self, directory: str) -> tuple[bool, ...]:
        known = self._parents.get(directory)
        if known is None:
            _, known = self._match(directory)
            self._parents[directory] = known
        return known


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
    if _WILD.search(text):
        # The builder reads patterns with wildcards by Go's text/scanner, which drops a byte order mark.
        text = text.removeprefix("\ufeff")
    try:
        return _Rule(
            re.compile(translate(text, escapes=_escape), re.DOTALL | re.ASCII), keep, parts=tuple(text.split("/"))
        )
    except (BadPattern, re.error) as error:
        raise BadPattern(line.strip(), number) from error


def translate(text: str, *, escapes: Callable[[str], str] = re.escape) -> str:
    """Return a pattern of the builder as a regular expression.

    Args:
        text: the pattern.
        escapes: returns the expression for a character after a backslash.

    Raises:
        BadPattern: the builder refuses the pattern.
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
            out.append(escapes(text[index]))
            index += 1
        elif char == "[":
            match = _CLASS.match(text, index - 1)
            if match is None:
                raise BadPattern(text)
            out.append(f"[{match[1]}{_escaped(match[2], escapes)}]")
            index = match.end()
        else:
            out.append(re.escape(char))
    expression = "".join(out)
    try:
        re.compile(expression)
    except re.error as error:
        raise BadPattern(text) from error
    return expression


def _escape(char: str) -> str:
    r"""Return the expression for an escaped character of `.dockerignore`, which the builder passes to Go's regexp.

    There `\d` is a digit and `\a` a bell (https://pkg.go.dev/regexp/syntax). Of other letters and digits the builder
    refuses most; the rest, such as `\b` and `\x41`, is refused here too.

    Raises:
        BadPattern: the builder refuses it.
    """
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    if char.isascii() and char.isalnum():
        raise BadPattern(f"\\{char}")
    return re.escape(char)


def _escaped(content: str, escapes: Callable[[str], str]) -> str:
    """Return the content of a character class, in which only `-` and the escape character are special."""

    def replace(match: re.Match[str]) -> str:
        return escapes(match[1]) if match[1] else f"\\{match[2]}"

    return re.sub(r"\\(.)|([\[^&~|!])", replace, content, flags=re.DOTALL)
