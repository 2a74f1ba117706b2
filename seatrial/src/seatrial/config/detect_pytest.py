"""Detect whether the files that declare a project's dependencies name pytest."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["glob", "pyproject_installs_pytest", "read_text", "requirements_name_pytest"]

_REQUIREMENT: Final = re.compile(r"\s*pytest\b")
"""pytest, or a plugin of it, which requires it."""

_INCLUDED: Final = re.compile(r"^\s*(?:-r|--requirement)[ =]*(\S+)", re.MULTILINE)
_WITHOUT_TESTS: Final = re.compile(r"--(?:no-dev|no-default-groups|no-group|only-group|only|without|prod|production)\b")
_WITH_EXTRAS: Final = re.compile(r"--(?:all-extras|extra|all-groups|group|only-group|with)\b|(?:^|[\s'\"])\.\[")
_DEEPEST: Final = 3


def read_text(path: Path) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def glob(folder: Path, pattern: str) -> list[Path]:
    """Return the files and folders below a folder that match; none if the pattern is invalid or leads out of it."""
    try:
        return [] if ".." in pattern else list(folder.glob(pattern))
    except (ValueError, NotImplementedError):
        return []


def requirements_name_pytest(folder: Path, name: str, depth: int = _DEEPEST) -> bool:
    """Return whether a requirements file, or one that it includes, names pytest or a plugin of it.

    Args:
        folder: the build context.
        name: path or pattern of the file in the image: a file of the same name in the context is meant.
        depth: levels of included files.
    """
    plain = posixpath.normpath(name.lstrip("/"))
    for file in glob(folder, plain) or glob(folder, posixpath.basename(plain)):
        if file.suffix not in {".txt", ".in"}:
            continue
        text = read_text(file)
        if any(_REQUIREMENT.match(line) for line in text.splitlines()):
            return True
        included = [posixpath.join(posixpath.dirname(plain), each) for each in _INCLUDED.findall(text)]
        if depth and any(requirements_name_pytest(folder, each, depth - 1) for each in included):
            return True
    return False


def pyproject_installs_pytest(folder: Path, command: str) -> bool:
    """Return whether a command such as `uv sync` installs pytest because `pyproject.toml` declares it."""
    try:
        data = tomllib.loads(read_text(folder / "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return False
    project, tool = data.get("project", {}), data.get("tool", {})
    poetry = tool.get("poetry", {})
    installed: list[Any] = [project.get("dependencies"), poetry.get("dependencies")]
    if not command.startswith("pip") and not _WITHOUT_TESTS.search(command):
        installed += [data.get("dependency-groups", {}).get("dev"), tool.get("uv", {}).get("dev-dependencies")]
        installed += [poetry.get("dev-dependencies"), poetry.get("group")]
    if _WITH_EXTRAS.search(command):
        installed += [project.get("optional-dependencies"), data.get("dependency-groups"), poetry]
    return any(_REQUIREMENT.match(name) for name in _names(installed))


def _names(value: Any) -> Iterator[str]:
    """Yield the requirements in a part of `pyproject.toml`: strings of lists and keys of tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _names(element)
    elif isinstance(value, dict):
        for key, element in value.items():
            yield key
            yield from _names(element)
