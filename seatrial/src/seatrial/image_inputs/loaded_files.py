"""Which files Python or pytest load although nobody names them: code, settings, metadata of packages. Pure."""

from __future__ import annotations

import fnmatch
from typing import Final

__all__ = ["is_loaded", "may_hold_tests"]

_CODE: Final = (".py", ".pyw", ".pyc", ".pyo", ".pyd", ".so", ".dylib", ".dll", ".pth", ".egg-link", ".egg", ".whl")
_SETTINGS: Final = frozenset(
    ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml")
)
_METADATA: Final = (".egg-info", ".dist-info")
"""Folders of installed packages: their entry points name plugins that pytest imports."""


def is_loaded(path: str) -> bool:
    """Return whether Python or pytest may load a file of that path: a module, an ini file, a package's metadata."""
    *folders, name = path.casefold().split("/")
    return name.endswith((*_CODE, *_METADATA)) or name in _SETTINGS or any(map(_is_metadata, folders))


def may_hold_tests(path: str) -> bool:
    """Return whether pytest collects a file as text with doctests, as it does by default."""
    return fnmatch.fnmatchcase(path.casefold().rpartition("/")[2], "test*.txt")


def _is_metadata(folder: str) -> bool:
    return folder.endswith(_METADATA)
