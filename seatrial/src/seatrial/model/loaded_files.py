"""Recognize files that Python or pytest load by themselves: code, settings, metadata of packages. Pure."""

from __future__ import annotations

import fnmatch
from typing import Final

__all__ = ["is_loaded", "is_named_by", "may_hold_tests", "names_code"]

_CODE: Final = (".py", ".pyw", ".pyc", ".pyo", ".pyd", ".so", ".dylib", ".dll", ".pth", ".egg-link", ".egg", ".whl")
_SETTINGS: Final = frozenset(
    ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml")
)
_CONFTEST: Final = "conftest.py"
_METADATA: Final = (".egg-info", ".dist-info")
"""Folders of installed packages: their entry points name plugins that pytest imports."""


def is_loaded(path: str) -> bool:
    """Return whether Python or pytest may load a file of that path: a module, an ini file, a package's metadata."""
    *folders, name = path.casefold().split("/")
    return name.endswith((*_CODE, *_METADATA)) or name in _SETTINGS or any(map(_is_metadata, folders))


def may_hold_tests(path: str) -> bool:
    """Return whether pytest collects a file as text with doctests, as it does by default."""
    return fnmatch.fnmatchcase(path.casefold().rpartition("/")[2], "test*.txt")


def is_named_by(pattern: str, path: str) -> bool:
    """Return whether the last part of a glob means files like this one, and not any file.

    `*.py` means modules, but not `conftest.py`, which pytest loads for all tests around it: that and settings have to
    be named in full. Nothing names metadata of packages.
    """
    *folders, name = path.casefold().split("/")
    last = pattern.casefold().rpartition("/")[2]
    if name == _CONFTEST or name in _SETTINGS:
        return last == name
    _, dot, suffix = name.rpartition(".")
    return bool(dot) and last.endswith(dot + suffix) and not any(map(_is_metadata, folders))


def names_code(pattern: str) -> bool:
    """Return whether a glob means files that Python or pytest load."""
    return is_loaded(pattern) and is_named_by(pattern, pattern)


def _is_metadata(folder: str) -> bool:
    return folder.endswith(_METADATA)
