"""Override values of the file by environment variables and `--set KEY=VALUE`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from seatrial.config.positions import KeyPath, dotted
from seatrial.config.problem import Problem, did_you_mean
from seatrial.config.shape import bare, describe, fields, kind_of, leaves, type_at
from seatrial.config.source import Origin, Source
from seatrial.model.spec import Project

__all__ = ["SETTINGS", "Override", "apply", "from_command_line", "from_environment", "variables", "variables_in"]

_PREFIX: Final = "SEATRIAL_"

_ALONE: Final = ("environment",)
"""The key above all tables that has a variable: a CI job may select the kind of environment."""

SETTINGS: Final = "SEATRIAL_SET"
"""Variable with one `KEY=VALUE` a line, for keys without a variable of their own: those of images and releases."""


@dataclass(frozen=True)
class Override:
    """A value for one key, as text. `key` may name elements of arrays: `release.NAME.namespace`."""

    key: tuple[str, ...]
    text: str
    source: Source


def variables() -> dict[str, tuple[str, ...]]:
    """Return the environment variables that set a key: `SEATRIAL_CLUSTER_NAME` sets `cluster.name`."""
    return {
        _PREFIX + "_".join(path).upper().replace("-", "_"): path
        for path, _ in leaves()
        if len(path) > 1 or path == _ALONE
    }


def variables_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that are in use: `SEATRIAL_SET` and the variables of keys, with their values."""
    known = {SETTINGS, *variables()}
    return {name: text for name, text in sorted(environ.items()) if name in known}


def from_environment(environ: Mapping[str, str]) -> tuple[list[Override], list[Problem]]:
    """Return the overrides by `SEATRIAL_SET` and by the variable of each key.

    A variable that begins like one of a key and is none is a problem.
    """
    known = variables()
    tables = {name.split("_")[1] for name in known}
    overrides, problems = _settings(
        [(line, SETTINGS) for line in environ.get(SETTINGS, "").splitlines() if line.strip()], Origin.ENVIRONMENT
    )
    for name, text in sorted(environ.items()):
        if name in known:
            overrides.append(Override(known[name], text, Source(Origin.ENVIRONMENT, name)))
        elif name.startswith(_PREFIX) and name.count("_") > 1 and name.split("_")[1] in tables:
            problems.append(Problem(name, (), "is not a variable of any key", did_you_mean(name, known)))
    return overrides, problems


def from_command_line(settings: Sequence[tuple[str, str]]) -> tuple[list[Override], list[Problem]]:
    """Return the overrides of `KEY=VALUE`, each with the option that has it."""
    return _settings(settings, Origin.COMMAND_LINE)


def _settings(settings: Sequence[tuple[str, str]], origin: Origin) -> tuple[list[Override], list[Problem]]:
    overrides, problems = [], []
    for setting, where in settings:
        key, equals, text = setting.partition("=")
        if equals and key:
            overrides.append(Override(tuple(key.strip().split(".")), text, Source(origin, where)))
        else:
            problems.append(Problem(where, (), f"{setting!r} is not KEY=VALUE", "for example cluster.name=mine"))
    return overrides, problems


def apply(data: dict[str, Any], overrides: Sequence[Override], sources: dict[KeyPath, Source]) -> Iterator[Problem]:
    """Write the overrides into `data` and their sources into `sources`; yield the problems."""
    for override in overrides:
        try:
            path = _locate(data, override.key)
            value = _parse(override.text, type_at(path), path)
            _put(data, path, value)
        except _Refused as refused:
            yield Problem(override.source.where, refused.key, refused.message, refused.hint)
            continue
        for old in [key for key in sources if key[: len(path)] == path]:
            del sources[old]
        sources[path] = override.source


class _Refused(Exception):
    def __init__(self, key: KeyPath, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.key, self.message, self.hint = key, message, hint


def _locate(data: dict[str, Any], key: tuple[str, ...]) -> KeyPath:
    """Return the path of a key, with names of array elements replaced by indices.

    Raises:
        _Refused: there is no such key or element.
    """
    path: KeyPath = ()
    value: Any = data
    for part in key:
        kind = kind_of(type_at(path)) if path else None
        step: str | int = part
        if kind and kind.name == "array":
            elements = value if isinstance(value, list) else []
            names = [str(element.get("name")) if isinstance(element, dict) else "" for element in elements]
            if part in names:
                step = names.index(part)
            elif part.isdigit() and int(part) < len(names):
                step = int(part)
            else:
                raise _Refused(path, f"has no element {part!r}", did_you_mean(part, filter(None, names)))
        if type_at((*path, step)) is None:
            raise _Refused((*path, step), "unknown key", did_you_mean(part, _siblings(path)))
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        path = (*path, step)
    return path


def _siblings(path: KeyPath) -> list[str]:
    kind = kind_of(type_at(path) if path else Project)
    return list(fields(kind.of)) if kind.name == "table" else []


def _parse(text: str, type_: Any, path: KeyPath) -> Any:
    """Parse the text of an override: strings are literal, lists may be written as for a shell, all else as in TOML."""
    kind = kind_of(type_)
    plain = bare(type_)
    if "table" in {kind.name, kind_of(kind.of).name}:
        raise _Refused(path, f"is {describe(type_)}, which one setting cannot replace", "set its values one by one")
    if kind.name == "leaf" and plain not in {int, float, bool} and not _is_number(plain):
        return text
    if kind.name == "array" and not text.lstrip().startswith("["):
        return shlex.split(text)
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise _Refused(path, f"{text!r} should be {describe(type_)}", "write the value as in TOML") from None


def _is_number(plain: Any) -> bool:
    """Whether a Literal type has numbers: `version`."""
    return get_origin(plain) is Literal and not isinstance(get_args(plain)[0], str)


def _put(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    at: Any = data
    for depth, part in enumerate(path[:-1]):
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
        if not isinstance(at, dict | list):
            raise _Refused(path, f"{dotted(path[: depth + 1])} is not a table in the file")
    at[path[-1]] = value
