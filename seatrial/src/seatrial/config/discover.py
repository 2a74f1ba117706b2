"""Find the configuration file of a project."""

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
    """The content of a configuration file.

    Attributes:
        path: absolute path of the file.
        text: the whole text.
        data: the parsed tables; of `pyproject.toml` those of `[tool.seatrial]`.
        prefix: path of the table in the file: empty, or `("tool", "seatrial")`.
    """

    path: Path
    text: str
    data: dict[str, Any]
    prefix: tuple[str, ...]


def discover(at: str | None) -> Document:
    """Return the configuration of a project.

    Args:
        at: the file, or a directory to search with its parents; None: the working directory.

    Raises:
        UsageError: there is no configuration, or its path is not UTF-8.
        ConfigurationError: a directory has two configurations, or the file is not valid TOML.
    """
    given = Path(at or ".")
    # A project has one path, also if it is reached by `..` or a link to its directory. A link to the file is not
    # followed: the project is where the link is.
    folder = Path(os.path.realpath(given.parent if given.is_file() else given))
    start = folder / given.name if given.is_file() else folder
    _check_encoding(start)
    if start.is_file():
        document = _read(start)
        if document is None:
            raise UsageError(f"{start} has no table [tool.seatrial]", hint="add the table, or run: seatrial init")
        return document
    if not start.is_dir():
        raise UsageError(f"{start} does not exist", hint="pass an existing directory or file to -C")
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
        hint="run seatrial init, or pass the project's directory to -C",
    )


def _check_encoding(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the path {str(path)!a} is not valid UTF-8",
            reason="records of runs are UTF-8",
            hint="rename the directory",
        ) from None


def _read(path: Path) -> Document | None:
    """Return the configuration in a file; None if it has none or does not exist."""
    in_pyproject = path.name == _PYPROJECT
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", reason=str(error)) from error
    if in_pyproject and "seatrial" not in text:
        return None  # a file of other tools, whose errors they report
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax(path, str(error))]) from error
    if not in_pyproject:
        return Document(path, text, data, ())
    table = data.get("tool", {}).get("seatrial")
    return Document(path, text, table, ("tool", "seatrial")) if isinstance(table, dict) else None


def _syntax(path: Path, message: str) -> Problem:
    """Convert an error of tomllib, `Invalid value (at line 3, column 5)`, to a problem with file and line."""
    message, _, place = message.partition(" (at line ")
    line = place.partition(",")[0]
    where = f"{path.name}:{line}" if line.isdigit() else path.name
    return Problem(where, (), f"invalid TOML: {message[:1].lower()}{message[1:]}", "")
