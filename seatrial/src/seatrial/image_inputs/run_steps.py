"""Classify RUN instructions by their effect on files that were copied before them. Pure.

A list has the known commands without an effect. Any other command counts as if it read and changed all files.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from seatrial.image_inputs.dockerfile import Instruction

__all__ = ["Step", "step"]

_ACCOUNTS: Final = frozenset(
    {"useradd", "adduser", "groupadd", "addgroup", "usermod", "groupmod", "chown", "chgrp", "mkdir", "true", ":", "set"}
)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:=~-]*")
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[\w,. -]+\])?\s*((==|>=|<=|~=|!=|<|>)[\w.*,<>=!~ -]+)?")
_SYSTEM: Final = {
    "apt-get": (frozenset({"update", "install", "clean", "autoremove"}), frozenset(
        {"-y", "-q", "-qq", "-yq", "-yqq", "--yes", "--assume-yes", "--quiet", "--no-install-recommends",
         "--no-install-suggests"})),
    "apk": (frozenset({"update", "add"}), frozenset({"--no-cache", "--update", "-U", "-q", "--quiet"})),
}  # fmt: skip
_FLAGS: Final = frozenset(
    {"--no-cache-dir", "--no-cache", "--quiet", "-q", "--upgrade", "-U", "--no-deps", "--disable-pip-version-check",
     "--require-hashes", "--system", "--compile", "--compile-bytecode", "--no-compile", "--break-system-packages",
     "--no-input", "--no-build-isolation", "--frozen", "--locked", "--no-dev", "--all-extras", "--no-install-project",
     "--no-root", "--no-interaction", "--all-groups", "--no-progress", "--offline"}
)  # fmt: skip
_WITH_VALUE: Final = frozenset(
    {"--python", "-p", "--index-url", "-i", "--extra-index-url", "--extra", "--group", "--only", "--with", "--without",
     "--root-user-action", "--only-group"}
)  # fmt: skip
_OPERATORS: Final = frozenset({"&&", "||", ";"})


@dataclass(frozen=True, slots=True)
class Step:
    """The effect of a RUN on files that were copied before it.

    Attributes:
        kind: `none`: no effect; `editable`: installs projects in editable mode; `any`: unknown.
        touches: absolute paths that it reads or deletes.
    """

    kind: Literal["none", "editable", "any"]
    touches: tuple[str, ...] = ()


_ANY: Final = Step("any")


def step(run: Instruction, workdir: str | None, *, shell: bool = True) -> Step:
    """Return the effect of a RUN.

    Args:
        run: the instruction.
        workdir: its working directory; None: unknown.
        shell: whether the default shell is in use.
    """
    words = run.json_words
    if run.heredocs or (words is None and not shell):
        return _ANY
    commands = [words] if words is not None else _commands(run.text)
    if not commands:
        return _ANY
    found = [_command(command, workdir) for command in commands]
    if any(each.kind == "any" for each in found):
        return _ANY
    kind: Literal["none", "editable"] = "editable" if any(each.kind == "editable" for each in found) else "none"
    return Step(kind, tuple(path for each in found for path in each.touches))


def _commands(text: str) -> list[list[str]]:
    """Return the simple commands of a shell line; an empty list if it has other syntax."""
    if "`" in text or "$(" in text or "\n" in text:
        return []
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _OPERATORS:
            commands.append([])
        elif word and set(word) <= set("();<>|&"):
            return []
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _command(words: Sequence[str], workdir: str | None) -> Step:
    while words and words[0] == "DEBIAN_FRONTEND=noninteractive":
        words = words[1:]
    if not words:
        return _ANY
    name, *rest = words
    if name in _ACCOUNTS:
        return Step("none")
    if any("$" in word for word in words):
        return _ANY
    if name in _SYSTEM:
        return _system(name, rest)
    if name == "rm":
        return _remove(rest)
    if name in ("python", "python3") and rest[:2] == ["-m", "pip"]:
        name, rest = "pip", rest[2:]
    elif name == "uv" and rest[:1] == ["pip"]:
        name, rest = "pip", rest[1:]
    if name in ("pip", "pip3") and rest[:1] == ["install"]:
        return _pip(rest[1:], workdir)
    if (name, rest[:1]) in (("uv", ["sync"]), ("poetry", ["install"])):
        return _pip(rest[1:], workdir, project=True)
    return _ANY


def _system(name: str, words: Sequence[str]) -> Step:
    verbs, options = _SYSTEM[name]
    names = [word for word in words if word not in options]
    plain = names and names[0] in verbs and all(_PLAIN_NAME.fullmatch(word) for word in names)
    return Step("none") if plain else _ANY


def _remove(words: Sequence[str]) -> Step:
    paths = [word for word in words if not word.startswith("-")]
    if any(not path.startswith("/") or ".." in path or re.search(r"[*?\[].*/", path) for path in paths):
        return _ANY
    return Step("none", tuple(posixpath.dirname(path) if re.search(r"[*?\[]", path) else path for path in paths))


def _pip(words: Sequence[str], workdir: str | None, *, project: bool = False) -> Step:
    """Return the effect of an installation. With hashes, a requirements file cannot name a folder."""
    editable, touches = project, list[str]()
    hashed = "--require-hashes" in words
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _FLAGS and not has_value:
            continue
        if name in _WITH_VALUE and (has_value or queue):
            value = value if has_value else queue.pop(0)
        elif name in ("-r", "--requirement") and hashed and workdir and (has_value or queue):
            touches.append(posixpath.join(workdir, value if has_value else queue.pop(0)))
        elif name in ("-e", "--editable") and not project and (has_value or queue):
            editable = True
            target = value if has_value else queue.pop(0)
            if "://" in target:
                return _ANY
        elif project or not _REQUIREMENT.fullmatch(word):
            return _ANY
    return Step("editable" if editable else "none", tuple(posixpath.normpath(path) for path in touches))
