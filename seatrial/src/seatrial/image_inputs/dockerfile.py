"""Parse a Dockerfile into instructions and expand its variables. Pure.

Rules: https://docs.docker.com/reference/dockerfile/ (parser directives, escape character, heredocs, ARG and ENV).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Dockerfile", "Instruction", "expand", "parse"]

_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z][\w.-]*)\s*=\s*(.+?)\s*$")
_HEREDOC: Final = re.compile(r"(?<![<\w])\d*<<(-?)(['\"]?)([A-Za-z_]\w*)\2(?=\s|$)")
_WITH_HEREDOC: Final = ("RUN", "COPY", "ADD")
_FLAG: Final = re.compile(r"--[a-z][\w-]*(=\S*)?(?=\s|$)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        line: number of its first line, from 1.
        name: in capitals.
        flags: `--name=value`, as written.
        text: the rest of the instruction, on one line.
        heredocs: number of here-documents.
    """

    line: int
    name: str
    flags: tuple[str, ...]
    text: str
    heredocs: int = 0

    @property
    def json_words(self) -> list[str] | None:
        """The words of the JSON form (`["a", "b"]`); None if the text is not in that form."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except ValueError:
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    @property
    def words(self) -> list[str]:
        """The words of either form."""
        words = self.json_words
        return self.text.split() if words is None else words

    def flag(self, name: str) -> str | None:
        """Return the value of a flag, empty if it has none; None if there is no such flag."""
        for flag in self.flags:
            key, _, value = flag[2:].partition("=")
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile.

    Attributes:
        escape: the escape character.
        syntax: the frontend of `# syntax=`; empty: that of the builder.
    """

    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    syntax: str = ""


def parse(text: str) -> Dockerfile:
    """Return the instructions of a Dockerfile."""
    lines = text.removeprefix("\ufeff").splitlines()
    directives = _directives(lines)
    escape = "`" if directives.get("escape") == "`" else "\\"
    return Dockerfile(tuple(_instructions(lines, escape)), escape, directives.get("syntax", ""))


def _directives(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None or match[1].lower() not in ("syntax", "escape", "check") or match[1].lower() in found:
            break
        found[match[1].lower()] = match[2]
    return found


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    mark = re.escape(escape)
    continues = re.compile(rf"(?:(?<=[^{mark}])|^){mark}[ \t]*$")
    index = 0
    while index < len(lines):
        first, text = index + 1, ""
        more = True
        while more and index < len(lines):
            line = lines[index]
            index += 1
            if line.lstrip().startswith("#") or not line.strip():
                first = first if text else index + 1
                continue
            text += continues.sub("", line if text else line.lstrip())
            more = continues.search(line) is not None
        if not text.strip():
            continue
        instruction = _instruction(first, text.strip())
        count = 0
        if instruction.name in _WITH_HEREDOC:
            for dash, _, delimiter in _HEREDOC.findall(instruction.text):
                count += 1
                while index < len(lines):
                    line = lines[index]
                    index += 1
                    if (line.lstrip("\t") if dash else line) == delimiter:
                        break
        yield Instruction(instruction.line, instruction.name, instruction.flags, instruction.text, count)


def _instruction(line: int, text: str) -> Instruction:
    name, _, rest = text.replace("\t", " ").partition(" ")
    rest = rest.strip()
    flags = []
    if name.upper() != "CMD":
        while match := _FLAG.match(rest):
            flags.append(match[0])
            rest = rest[match.end() :].lstrip()
    return Instruction(line, name.upper(), tuple(flags), rest)


def expand(text: str, values: Mapping[str, str | None], escape: str = "\\", *, complete: bool = False) -> str | None:
    """Return a word with its variables replaced and its quotes removed.

    Args:
        text: the word.
        values: the known variables; None for one that is unset.
        escape: the escape character.
        complete: a variable that is not in `values` is unset; else the base image may set it.

    Returns:
        None if a variable has no known value, or an unsupported modifier.
    """
    out, index, quoted = "", 0, False
    while index < len(text):
        char = text[index]
        index += 1
        if char == "'" and not quoted:
            end = text.find("'", index)
            if end < 0:
                return None
            out, index = out + text[index:end], end + 1
        elif char == '"':
            quoted = not quoted
        elif char == escape and index < len(text):
            # Before a wildcard, the escape character belongs to the pattern.
            out += (escape if text[index] in "*?[" else "") + text[index]
            index += 1
        elif char == "$":
            value, index = _variable(text, index, values, escape, complete=complete)
            if value is None:
                return None
            out += value
        else:
            out += char
    return None if quoted else out


def _variable(
    text: str, index: int, values: Mapping[str, str | None], escape: str, *, complete: bool
) -> tuple[str | None, int]:
    """Return the value of the variable whose name begins at `index`, and the index of the rest of the text."""
    if match := _NAME.match(text, index):
        return values.get(match[0]), match.end()
    match = _NAME.match(text, index + 1) if text[index : index + 1] == "{" else None
    if match is None:
        return None, index
    end, depth = match.end(), 1
    while end < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    rest = text[match.end() : end - 1]
    if depth:
        return None, end
    if complete:
        values = {match[0]: None, **values}
    return _modified(match[0], rest, values, escape), end


def _modified(name: str, rest: str, values: Mapping[str, str | None], escape: str) -> str | None:
    """Return the value of `${NAME…}`. The default is used only for a variable that is known to be unset."""
    if not rest:
        return values.get(name)
    match = re.fullmatch(r"(:?)([-+])(.*)", rest, re.DOTALL)
    if match is None or name not in values:
        return None
    value = values[name]
    there = bool(value) if match[1] else value is not None
    word = expand(match[3], values, escape)
    if match[2] == "-":
        return value if there else word
    return word if there else ""
