"""Read the reviewed file of accepted differences, and match its entries."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec.structs import replace

from seatrial.config.positions import positions
from seatrial.config.problem import ConfigurationError, Problem, did_you_mean
from seatrial.model.comparison import AcceptedBy, Difference, Kind

__all__ = ["Entry", "accept", "parse"]

_KEYS: Final = ("difference", "owner", "reason", "expires")
_KINDS: Final = tuple(str(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        pattern: kind and subject of the differences; `*` matches any text.
        line: its line in the file.
    """

    pattern: str
    by: AcceptedBy
    line: int

    def matches(self, difference: Difference) -> bool:
        """Return whether the entry is about a difference. Brackets of node ids are literal."""
        return fnmatchcase(difference.key, self.pattern.replace("[", "[[]"))


def parse(text: str, name: str) -> tuple[Entry, ...]:
    """Return the entries of a file.

    Args:
        text: content of the file.
        name: its path, for messages.

    Raises:
        ConfigurationError: an entry is not valid; it has all problems, each with file and line.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error([Problem(name, (), f"is not valid TOML: {error}")]) from None
    places = positions(text)
    entries: list[Entry] = []
    problems: list[Problem] = []
    for key in data:
        if key != "accepted":
            where = f"{name}:{places[key,].line}"
            problems.append(Problem(where, (key,), "is not a key of this file", did_you_mean(key, ("accepted",))))
    tables = data.get("accepted", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        where = f"{name}:{places['accepted',].line}"
        raise _error([Problem(where, ("accepted",), "is not an array of tables", "write [[accepted]]")])
    for index, table in enumerate(tables):
        line = places["accepted", index].line
        found = []
        for key, message, hint in _problems(table):
            place = places.get(("accepted", index, key), places["accepted", index])
            found.append(Problem(f"{name}:{place.line}", (key,), message, hint))
        problems += found
        if not found:
            by = AcceptedBy(owner=table["owner"], reason=table["reason"], expires=table["expires"])
            entries.append(Entry(table["difference"], by, line))
    if problems:
        raise _error(problems)
    return tuple(entries)


def _error(problems: Sequence[Problem]) -> ConfigurationError:
    count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
    return ConfigurationError(problems, what=f"{count} in the file of accepted differences")


def _problems(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return key, message and hint of each problem of an entry."""
    found = [(key, "is not a key of an entry", did_you_mean(key, _KEYS)) for key in table if key not in _KEYS]
    for key in _KEYS:
        value = table.get(key)
        if value is None:
            found.append((key, "is missing", f"an entry needs {', '.join(_KEYS)}"))
        elif key == "expires":
            if type(value) is not date:
                found.append((key, f"is {value!r}, not a date", "write a date without quotes: 2027-01-31"))
        elif not isinstance(value, str) or not value.strip():
            found.append((key, f"is {value!r}, not a text", "write a text in quotes"))
    pattern = table.get("difference")
    if isinstance(pattern, str) and pattern.strip():
        kind = pattern.split(maxsplit=1)[0]
        if "*" not in kind and kind not in _KINDS:
            found.append(("difference", f"begins with {kind!r}, which is no kind", did_you_mean(kind, _KINDS)))
        elif pattern.strip("* ") == "":
            found.append(
                ("difference", "matches every difference", "name a kind and a subject: variable web LOG_LEVEL")
            )
    return found


def accept(
    differences: Sequence[Difference], entries: Sequence[Entry], *, today: date, name: str
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Return the differences with the entries that accept them, and notes about entries that do not help.

    An entry accepts until the end of its last day.
    """
    used: set[Entry] = set()
    found: list[Difference] = []
    for difference in differences:
        matching = [entry for entry in entries if difference.counts and entry.matches(difference)]
        used.update(matching)
        valid = next((entry for entry in matching if entry.by.expires >= today), None)
        found.append(replace(difference, accepted=valid.by) if valid else difference)
    notes = [
        f"{name}:{entry.line}: expired on {entry.by.expires}, so {entry.pattern!r} counts again; owner {entry.by.owner}"
        for entry in entries
        if entry.by.expires < today and entry in used
    ]
    notes += [
        f"{name}:{entry.line}: {entry.pattern!r} matches no difference; delete the entry"
        for entry in entries
        if entry not in used
    ]
    return tuple(found), tuple(notes)
