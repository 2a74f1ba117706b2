"""Check the shape of a configuration: unknown keys, wrong types, missing keys. Reports all problems, not the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem, did_you_mean
from seatrial.config.shape import bare, describe, fields, kind_of
from seatrial.config.source import Source
from seatrial.model.spec import CONFIG_SCHEMA, Project

__all__ = ["Where", "as_path", "check", "nearest"]

Where = Callable[[KeyPath], str]
"""Returns the place of a key: `seatrial.toml:12`."""


def nearest(sources: Mapping[KeyPath, Source], path: KeyPath) -> Source | None:
    """Return the source of a key, or of the nearest table or array around it that has a source."""
    for end in range(len(path), -1, -1):
        if path[:end] in sources:
            return sources[path[:end]]
    return None


def check(data: Mapping[str, Any], where: Where) -> list[Problem]:
    """Return the problems in the shape of `data`."""
    version = data.get("version", CONFIG_SCHEMA)
    if isinstance(version, int) and version > CONFIG_SCHEMA:
        message = f"the file has schema version {version}, this seatrial supports {CONFIG_SCHEMA}"
        return [Problem(where(("version",)), ("version",), message, "install a newer seatrial")]
    return list(_check(data, Project, (), where))


def as_path(type_: type, value: Any) -> Any:
    """Convert a value to a type that msgspec does not know: a path."""
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{type_} from {value!r}")


def _check(value: Any, type_: Any, path: KeyPath, where: Where) -> Iterator[Problem]:
    kind = kind_of(type_)
    if kind.name == "table":
        yield from _check_table(value, kind.of, path, where)
    elif kind.name == "map" and isinstance(value, dict):
        for key, element in value.items():
            yield from _check(element, kind.of, (*path, key), where)
    elif kind.name == "array" and isinstance(value, list):
        for index, element in enumerate(value):
            yield from _check(element, kind.of, (*path, index), where)
    elif kind.name != "leaf":
        yield Problem(
            where(path), path, f"is {_described(value)}, should be {describe(type_)}", _syntax_of(path, kind.name)
        )
    else:
        yield from _check_leaf(value, type_, path, where)


def _check_table(value: Any, table: type[msgspec.Struct], path: KeyPath, where: Where) -> Iterator[Problem]:
    if not isinstance(value, dict):
        hint = _syntax_of(path, "array of tables" if isinstance(path[-1], int) else "table")
        yield Problem(where(path), path, f"is {_described(value)}, should be a table", hint)
        return
    known = fields(table)
    for key, element in value.items():
        if key in known:
            yield from _check(element, known[key].type, (*path, key), where)
        else:
            yield Problem(where((*path, key)), (*path, key), "unknown key", did_you_mean(key, known))
    for field in known.values():
        if field.required and field.key not in value:
            message = "is missing" + (f" ({field.description})" if field.description else "")
            yield Problem(where(path), (*path, field.key), message, f"add {_example(field.key, field.type)}")


def _check_leaf(value: Any, type_: Any, path: KeyPath, where: Where) -> Iterator[Problem]:
    try:
        msgspec.convert(value, type_, dec_hook=as_path)
    except (msgspec.ValidationError, NotImplementedError):
        choices = [str(choice) for choice in get_args(bare(type_))] if get_origin(bare(type_)) is Literal else []
        hint = did_you_mean(value, choices) if isinstance(value, str) and choices else ""
        if hint.startswith("known"):
            hint = ""
        if bare(type_) is int and isinstance(value, str) and value.isdigit():
            hint = f"write {value} without quotes"
        yield Problem(where(path), path, f"is {_described(value)}, should be {describe(type_)}", hint)


def _described(value: Any) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case datetime() | date() | time():
            return f"a date or time ({value})"
        case _:
            return str(value)


def _syntax_of(path: KeyPath, kind: str) -> str:
    """Return a hint that shows the syntax of a table or list at a key."""
    names = [part for part in path if isinstance(part, str)]
    if len(names) == 1 and kind == "table":
        return f"write [{names[0]}]"
    if len(names) == 1 and kind in {"array", "array of tables"}:
        return f"write [[{names[0]}]]"
    return {"map": "write { name = … }", "table": "write { key = … }"}.get(kind, "write [ … ]")


def _example(key: str, type_: Any) -> str:
    kind = kind_of(type_)
    if kind.name == "table":
        return f"[{key}]"
    if kind.name == "array":
        return f"{key} = [ … ]"
    return f"{key} = " + ('"…"' if bare(type_) in {str, Path} else "…")
