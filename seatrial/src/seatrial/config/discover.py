"""Which file holds the configuration."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial.config.problem import ConfigurationError, Problem
from seatrial.model.errors import UsageError

__all__ = ["FILE_NAME", "Document", "discover"]

FILE_NAME: Final = "seatrial.toml"
_PYPROJECT: Final = "pyproject.toml"


@dataclass(frozen=True)
class Document:
    """A configuration as it stands in a file.

    Attributes:
        path: absolute path of the file.
        text: its content.
        data: what it says; of `pyproject.toml` what `[tool.seatrial]` says.
        prefix: path of the table in the file: empty, or `("tool", "seatrial")`.
    """

    path: Path
    text: str
    data: dict[str, Any]
    prefix: tuple[str, ...]


def discover(at: str | None) -> Document:
    """Return the configuration of the project `at`, or of the one around the working directory.

    Args:
        at: a file, or a directory in which and above which to look; None: the working directory.

    Raises:
        UsageError: there is none, or its path is not UTF-8.
        ConfigurationError: there are two in one directory, or it is no TOML.
    """
    given = Path(at or ".")
    # One project has one path, however it is reached: `..`, a link to its folder. A link to its file is not followed:
    # the project is where the link is.
    folder = Path(os.path.realpath(given.parent if given.is_file() else given))
    start = folder / given.name if given.is_file() else folder
    _check_encoding(start)
    if start.is_file():
        document = _read(start)
        if document is None:
            raise UsageError(f"{start} has no [tool.seatrial]", hint="add the table, or: seatrial init")
        return document
    if not start.is_dir():
        raise UsageError(f"{start} does not exist", hint="give -C an existing directory or file")
    for folder in (start, *start.parents):
        found = [document for name in (FILE_NAME, _PYPROJECT) if (document := _read(folder / name)) is not None]
        if len(found) > 1:
            raise ConfigurationError(
                [Problem(str(folder), (), f"both {FILE_NAME} and [tool.seatrial] in {_PYPROJECT}", "keep one of them")]
            )
        if found:
            return found[0]
    raise UsageError(
        f"no {FILE_NAME} in {start} or above it, and no {_PYPROJECT} with [tool.seatrial]",
        hint="seatrial init, or -C with the project's directory",
    )


def _check_encoding(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the path {str(path)!a} is not valid UTF-8",
            reason="no record of a run could hold it",
            hint="rename the folder",
        ) from None


def _read(path: Path) -> Document | None:
    """Return the configuration of this file, or None if it has none."""
    in_pyproject = path.name == _PYPROJECT
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", reason=str(error)) from error
    if in_pyproject and "seatrial" not in text:
        return None  # not ours, so its errors are not ours to tell either
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax(path, str(error))]) from error
    if not in_pyproject:
        return Document(path, text, data, ())
    table = data.get("tool", {}).get("seatrial")
    return Document(path, text, table, ("tool", "seatrial")) if isinstance(table, dict) else None


def _syntax(path: Path, message: str) -> Problem:
    """Return tomllib's message with its line moved to the front: `Invalid value (at line 3, column 5)`."""
    message, _, place = message.partition(" (at line ")
    line = place.partition(",")[0]
    where = f"{path.name}:{line}" if line.isdigit() else path.name
    return Problem(where, (), f"not TOML: {message[:1].lower()}{message[1:]}", "")
