"""List every key of a loaded configuration with its value and source, for `seatrial config show`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from seatrial.config.check import nearest
from seatrial.config.load import Loaded
from seatrial.config.positions import KeyPath, dotted
from seatrial.config.secrets import is_secret
from seatrial.config.shape import fields, kind_of
from seatrial.config.source import DEFAULT, Source
from seatrial.model.redaction import HIDDEN
from seatrial.model.spec import Project

__all__ = ["Setting", "as_text", "flatten"]


class Setting(msgspec.Struct, frozen=True):
    """One value of the configuration.

    Attributes:
        key: dotted key: `release[0].chart`.
        value: value as in TOML; None if it is not set.
        source: source of the value.
    """

    key: str
    value: Any
    source: Source


def flatten(loaded: Loaded) -> list[Setting]:
    """Return all settings in the order of the schema."""
    return [
        # The project id in use, also without a configured one.
        Setting(
            dotted(path),
            loaded.project.identity if path == ("project",) else _shown(path, value),
            _source(loaded, path),
        )
        for path, value in _walk(loaded.project, Project, ())
    ]


def as_text(settings: list[Setting], root: Path) -> str:
    """Format settings as aligned lines `key = value  # source`, without unset ones; paths are relative to `root`."""
    shown = [
        (f"{item.key} = {_toml(item.value, root)}", str(item.source)) for item in settings if item.value is not None
    ]
    width = min(72, max((len(left) for left, _ in shown), default=0))
    return "\n".join(f"{left:<{width}}  # {source}" for left, source in shown)


def _walk(value: Any, type_: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    kind = kind_of(type_)
    if value is None or kind.name == "leaf":
        yield path, value
    elif kind.name == "table":
        names = {field.encode_name: field.name for field in msgspec.structs.fields(kind.of)}
        for key, field in fields(kind.of).items():
            yield from _walk(getattr(value, names[key]), field.type, (*path, key))
    elif kind.name == "map" and value:
        for key, element in value.items():
            yield from _walk(element, kind.of, (*path, key))
    elif kind.name == "array" and kind_of(kind.of).name == "table" and value:
        for index, element in enumerate(value):
            yield from _walk(element, kind.of, (*path, index))
    else:
        yield path, value


def _source(loaded: Loaded, path: KeyPath) -> Source:
    """Return the source of a value: a key that is not in the file is a default, also if its table is."""
    if path in loaded.sources:
        return loaded.sources[path]
    around = nearest(loaded.sources, path)
    inside_a_value = around is not None and any(key[: len(path)] == path for key in loaded.sources)
    return around if around is not None and inside_a_value else DEFAULT


def _shown(path: KeyPath, value: Any) -> Any:
    """Return a value to show: values that may be secret are hidden."""
    if not value or not is_secret((*path, "")):
        return _plain(value)
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {key: _plain(element) for key, element in value.items()}
    return str(value) if isinstance(value, Path) else value


def _toml(value: Any, root: Path) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            shown = value.replace(f"{root}/", "") if value != str(root) else "."
            return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case list():
            return "[" + ", ".join(_toml(element, root) for element in value) + "]"
        case dict():
            return (
                "{ " + ", ".join(f"{key} = {_toml(element, root)}" for key, element in value.items()) + " }"
                if value
                else "{}"
            )
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)
