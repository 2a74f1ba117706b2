"""Describe the types of `model.spec`: the keys of each table, their types and defaults, for people and for programs."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from seatrial.config.positions import KeyPath
from seatrial.model.spec import ChartValue, Project

__all__ = ["Field", "Kind", "bare", "describe", "fields", "inner", "kind_of", "leaves", "type_at"]

_HIDDEN: Final = frozenset({"root"})
"""Fields of `Project` that are not keys of the file."""


class Field(NamedTuple):
    """A key of a table."""

    key: str
    type: Any
    required: bool
    default: Any
    description: str


class Kind(NamedTuple):
    """The shape of a type. `of` is the struct of a table, or the type of the elements of a map or array."""

    name: Literal["table", "map", "array", "leaf"]
    of: Any = None


def bare(type_: Any) -> Any:
    """Return a type without `Annotated` and without `None`."""
    if get_origin(type_) is Annotated:
        return bare(get_args(type_)[0])
    if get_origin(type_) in {Union, types.UnionType}:
        choices = [arg for arg in get_args(type_) if arg is not type(None)]
        return bare(choices[0]) if len(choices) == 1 else type_
    return type_


def kind_of(type_: Any) -> Kind:
    """Return the shape of a type."""
    plain = bare(type_)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        return Kind("table", plain)
    if get_origin(plain) is dict:
        return Kind("map", get_args(plain)[1])
    if get_origin(plain) is tuple:
        return Kind("array", get_args(plain)[0])
    return Kind("leaf")


@cache
def fields(table: type[msgspec.Struct]) -> dict[str, Field]:
    """Return the keys of a table by name."""
    hints = get_type_hints(table, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(table):
        if table is Project and field.name in _HIDDEN:
            continue
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        else:
            default = None if field.default is msgspec.NODEFAULT else field.default
        hint = hints[field.name]
        found[field.encode_name] = Field(field.encode_name, hint, field.required, default, _description(hint))
    return found


def inner(type_: Any, part: str | int) -> Any:
    """Return the type of the element at `part` of a value; None if there is no such key."""
    kind = kind_of(type_)
    if kind.name == "table":
        field = fields(kind.of).get(str(part))
        return field.type if field else None
    return kind.of


def type_at(path: KeyPath) -> Any:
    """Return the type of a key; None if there is no such key."""
    type_: Any = Project
    for part in path:
        type_ = inner(type_, part)
        if type_ is None:
            return None
    return type_


def leaves(table: type[msgspec.Struct] = Project, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield the keys that are in tables only, not in arrays or maps of tables: `cluster.name`."""
    for field in fields(table).values():
        kind = kind_of(field.type)
        if kind.name == "table":
            yield from leaves(kind.of, (*at, field.key))
        elif not (kind.name in {"map", "array"} and kind_of(kind.of).name == "table"):
            yield (*at, field.key), field


def describe(type_: Any) -> str:
    """Describe a type for people: `a whole number from 1 to 65535`."""
    plain = bare(type_)
    kind = kind_of(type_)
    if kind.name == "table":
        return "a table"
    if kind.name == "map":
        return "a table of names and values"
    if kind.name == "array":
        return "a list"
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(
            f'"{value}"' if isinstance(value, str) else str(value) for value in get_args(plain)
        )
    if plain is int:
        return "a whole number" + _bounds(type_)
    words: dict[Any, str] = {
        str: "a string",
        bool: "true or false",
        float: "a number",
        Path: "a path",
        ChartValue: "a string, true or false, or a number",
    }
    return words[plain]


def _meta(type_: Any) -> msgspec.Meta | None:
    if get_origin(type_) is Annotated:
        return next((meta for meta in get_args(type_)[1:] if isinstance(meta, msgspec.Meta)), None)
    return None


def _description(type_: Any) -> str:
    meta = _meta(type_)
    return (meta.description if meta else None) or ""


def _bounds(type_: Any) -> str:
    meta = _meta(type_)
    if meta is None or meta.ge is None or meta.le is None:
        return ""
    return f" from {meta.ge} to {meta.le}"
