"""Whether data has the shape of a project: keys, types, what is missing. All that is wrong, not the first of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem, did_you_mean
from seatrial.config.shape import bare, fields, kind_of, spoken
from seatrial.config.source import Source
from seatrial.model.spec import CONFIG_SCHEMA, Project

__all__ = ["Where", "as_path", "check", "nearest"]

Where = Callable[[KeyPath], str]
"""Tells where a key stands: `seatrial.toml:12`."""


def nearest(sources: Mapping[KeyPath, Source], path: KeyPath) -> Source | None:
    """Return the source of a key, or of the nearest table or array around it that has one."""
    for end in range(len(path), -1, -1):
        if path[:end] in sources:
            return sources[path[:end]]
    return None


def check(data: Mapping[str, Any], where: Where) -> list[Problem]:
    """Return what is wrong with the shape of `data`."""
    version = data.get("version", CONFIG_SCHEMA)
    if isinstance(version, int) and version > CONFIG_SCHEMA:
        message = f"this file is of schema {version}, this seatrial knows {CONFIG_SCHEMA}"
        return [Problem(where(("version",)), ("version",), message, "install a newer seatrial")]
    return list(_check(data, Project, (), where))


def as_path(type_: type, value: Any) -> Any:
    """Convert for msgspec what it does not know by itself: paths."""
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
            where(path), path, f"is {_spoken_value(value)}, should be {spoken(type_)}", _written(path, kind.name)
        )
    else:
        yield from _check_leaf(value, type_, path, where)


def _check_table(value: Any, table: type[msgspec.Struct], path: KeyPath, where: Where) -> Iterator[Problem]:
    if not isinstance(value, dict):
        remedy = _written(path, "array of tables" if isinstance(path[-1], int) else "table")
        yield Problem(where(path), path, f"is {_spoken_value(value)}, should be a table", remedy)
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
        remedy = did_you_mean(value, choices) if isinstance(value, str) and choices else ""
        if remedy.startswith("known"):
            remedy = ""
        if bare(type_) is int and isinstance(value, str) and value.isdigit():
            remedy = f"write {value} without quotes"
        yield Problem(where(path), path, f"is {_spoken_value(value)}, should be {spoken(type_)}", remedy)


def _spoken_value(value: Any) -> str:
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


def _written(path: KeyPath, kind: str) -> str:
    """Return how a table or list at a key is written."""
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
