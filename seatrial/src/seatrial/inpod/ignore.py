"""Which files `.dockerignore` and `.gitignore` leave out. Pure.

Docker's rules: https://docs.docker.com/build/concepts/context/#dockerignore-files (matched by moby/patternmatcher: a
pattern also matches what is below what it matches, the last match decides, `!` brings back).
git's rules: https://git-scm.com/docs/gitignore (each file for its directory and below, deeper files win, a directory
that is left out cannot be brought back in parts).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["DockerIgnore", "GitIgnore"]

_WILD: Final = re.compile(r"[*?\[\\]")
_CLASS: Final = re.compile(r"\[(!|\^)?(\]?[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    keep: bool
    directories_only: bool = False
    parts: tuple[str, ...] = ()

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
    """The rules of one `.dockerignore`."""

    def __init__(self, text: str = "") -> None:
        self._rules = [rule for line in text.lstrip("\ufeff").splitlines() if (rule := _docker_rule(line))]

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


class GitIgnore:
    """The rules of all `.gitignore` files of a repository.

    Args:
        files: directory (relative to the repository, `` for its root) -> text of its `.gitignore`.
        tracked: files that git has although a rule leaves them out.
    """

    def __init__(self, files: Mapping[str, str] | None = None, tracked: Iterable[str] = ()) -> None:
        self._rules = {place.strip("/"): _git_rules(text) for place, text in (files or {}).items()}
        self._tracked = frozenset(tracked)
        self._tracked_parents = {parent for path in self._tracked for parent in _with_parents(path)}

    def ignored(self, path: str, *, directory: bool) -> bool:
        """Return whether the file or directory is left out."""
        if path in self._tracked or (directory and path in self._tracked_parents):
            return False
        parents = _with_parents(path)
        return any(self._decides(each, directory=directory if each == path else True) for each in reversed(parents))

    def _decides(self, path: str, *, directory: bool) -> bool:
        """Return what the deepest file with a rule for exactly this path says."""
        for place in (*_with_parents(path)[1:], ""):
            rules = self._rules.get(place)
            if not rules:
                continue
            relative = path[len(place) + 1 :] if place else path
            for rule in reversed(rules):
                if rule.pattern.fullmatch(relative) and (directory or not rule.directories_only):
                    return not rule.keep
        return False


def _with_parents(path: str) -> list[str]:
    """Return the path and the directories above it, nearest first, without the root."""
    found = [path]
    while (cut := path.rfind("/")) > 0:
        path = path[:cut]
        found.append(path)
    return found


def _docker_rule(line: str) -> _Rule | None:
    if line.startswith("#"):
        return None
    text = line.strip()
    keep = text.startswith("!")
    text = posixpath.normpath(text[1:].strip() if keep else text).lstrip("/") if text.strip("!") else ""
    if text in ("", "."):
        return None
    return _Rule(re.compile(_docker_regex(text)), keep, parts=tuple(text.split("/")))


def _docker_regex(text: str) -> str:
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
        elif char == "\\" and index < len(text):
            out.append(re.escape(text[index]))
            index += 1
        elif char == "[" and (match := _CLASS.match(text, index - 1)):
            out.append(_character_class(match))
            index = match.end()
        else:
            out.append(re.escape(char))
    return "".join(out)


def _git_rules(text: str) -> list[_Rule]:
    return [rule for line in text.lstrip("\ufeff").splitlines() if (rule := _git_rule(line))]


def _git_rule(line: str) -> _Rule | None:
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    if not line or line.startswith("#"):
        return None
    keep = line.startswith("!")
    text = line[1:] if keep else line
    directories_only = text.endswith("/")
    text = text.rstrip("/") if directories_only else text
    anchored = "/" in text
    text = text.lstrip("/")
    if not text:
        return None
    prefix = "" if anchored else "(?:.*/)?"
    return _Rule(re.compile(prefix + _git_regex(text), re.DOTALL), keep, directories_only)


def _git_regex(text: str) -> str:
    out, index = [], 0
    if text.startswith("**/"):
        out.append("(?:.*/)?")
        index = 3
    while index < len(text):
        rest = text[index:]
        if rest == "/**":
            out.append("/.+")
            break
        if rest.startswith("/**/"):
            out.append("/(?:.*/)?")
            index += 4
            continue
        char = text[index]
        index += 1
        if char == "*":
            while text[index : index + 1] == "*":
                index += 1
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\" and index < len(text):
            out.append(re.escape(text[index]))
            index += 1
        elif char == "[" and (match := _CLASS.match(text, index - 1)):
            out.append(_character_class(match))
            index = match.end()
        else:
            out.append(re.escape(char))
    return "".join(out)


def _character_class(match: re.Match[str]) -> str:
    negated, content = match[1], match[2].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    if content.startswith("]"):
        content = "\\" + content
    return f"(?!/)[{'^' if negated else ''}{content}]"
