"""The keys of the configuration: names, types, defaults, descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from seatrial.config.shape import bare, describe, fields, inner, kind_of, leaves, type_at
from seatrial.model.spec import ChartValue, ImageSpec, Project, RunnerSpec


class Table(msgspec.Struct, rename="kebab"):
    """A table with one key of each kind."""

    needed_key: Annotated[int, msgspec.Meta(ge=1, le=9, description="a number")]
    word: str = "x"
    made: list[str] = msgspec.field(default_factory=list)
    open_ended: Annotated[int, msgspec.Meta(ge=1)] = 1


def test_fields_have_name_default_and_description() -> None:
    found = fields(Table)

    assert list(found) == ["needed-key", "word", "made", "open-ended"]
    assert (found["needed-key"].required, found["needed-key"].default) == (True, None)
    assert (found["needed-key"].description, found["word"].description) == ("a number", "")
    assert (found["word"].required, found["word"].default, found["made"].default) == (False, "x", [])


def test_directory_of_the_project_is_no_key() -> None:
    assert "root" not in fields(Project)
    assert "runner" in fields(Project)


@pytest.mark.parametrize(
    ("type_", "name", "of"),
    [
        (Annotated[Table | None, msgspec.Meta(description="x")], "table", Table),
        (dict[str, Table], "map", Table),
        (tuple[Path, ...], "array", Path),
        (Literal["a"], "leaf", None),
        (str | None, "leaf", None),
    ],
)
def test_kind_of_a_type(type_: Any, name: str, of: Any) -> None:
    assert kind_of(type_) == (name, of)


def test_bare_type_keeps_a_real_union() -> None:
    assert bare(str | None) is str
    assert bare(ChartValue) == ChartValue


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (Annotated[int, msgspec.Meta(ge=1, le=65535)], "a whole number from 1 to 65535"),
        (Annotated[int, msgspec.Meta(ge=1)], "a whole number"),
        (Literal["kind", 3], 'one of "kind", 3'),
        (str | None, "a string"),
        (bool, "true or false"),
        (float, "a number"),
        (Path, "a path"),
        (ChartValue, "a string, true or false, or a number"),
        (dict[str, str], "a table of names and values"),
        (tuple[str, ...], "a list"),
        (Table, "a table"),
    ],
)
def test_type_is_described_for_people(type_: Any, text: str) -> None:
    assert describe(type_) == text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("runner",), RunnerSpec),
        (("image", 3), ImageSpec),
        (("service", "web", "port"), int),
        (("runner", "env", "ANY"), str),
        (("nothing",), None),
        (("runner", "image", "below"), None),
    ],
)
def test_type_at_a_path(path: tuple[str | int, ...], expected: Any) -> None:
    found = type_at(path)

    assert (None if found is None else bare(found)) is expected


def test_inner_of_a_map_is_the_type_of_its_values() -> None:
    assert inner(dict[str, int], "any") is int
    assert inner(Table, "unknown") is None


def test_leaves_have_no_keys_of_arrays_or_maps_of_tables() -> None:
    found = {".".join(path) for path, _ in leaves()}

    assert {"cluster.name", "runner.env", "timeouts.test"} <= found
    assert not any(path.startswith(("image", "release", "service")) for path in found)


def test_every_key_has_a_description() -> None:
    assert [".".join(path) for path, field in leaves() if not field.description] == []


def test_every_type_of_the_configuration_can_be_described() -> None:
    assert all(describe(field.type) for _, field in leaves())
