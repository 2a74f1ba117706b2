"""`docs/reference/complete.toml` is valid, has every key of the schema, and states defaults that are true."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from seatrial.config import load
from seatrial.config.lint import lint
from seatrial.config.shape import fields, kind_of, type_at
from seatrial.model.spec import Project

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "complete.toml").read_text()
EXCLUSIVE = {"cluster": ("provider", "config", "image"), "runner": ("isolated-namespaces",)}
"""Keys that the alternatives in lines with `#|` replace, by table."""

FILES = {
    "docker/Dockerfile": "FROM python:3.13 AS app\nCOPY orders orders\nFROM app AS tests\nCOPY tests tests\n",
    "charts/orders/Chart.yaml": "name: orders\n",
    "charts/orders/values-test.yaml": "",
    "testing/kind.yaml": "kind: Cluster\n",
    "testing/pip.conf": "",
    "testing/kubeconfig": "",
    "testing/docker-config.json": "{}",
    "testing/manifests/x.yaml": "",
    "tests/test_a.py": "",
    "orders/app.py": "",
    "compose.yaml": "",
    "testing/images.env": "",
}


def with_alternatives() -> str:
    """Return the file with the alternatives in place of what they exclude."""
    lines, table = [], ""
    for line in TEXT.splitlines():
        if header := re.match(r"\[+([\w.-]+)\]", line):
            table = header[1]
        if line.partition(" ")[0] not in EXCLUSIVE.get(table, ()):
            lines.append(line.removeprefix("#| "))
    return "\n".join(lines)


def keys_of_schema(table: Any, at: str = "") -> Iterator[str]:
    for key, field in fields(table).items():
        kind = kind_of(field.type)
        below = kind.of if kind.name == "table" else kind_of(kind.of).of if kind.of else None
        yield at + key
        if isinstance(below, type) and kind_of(kind.of if kind.name != "table" else field.type).name == "table":
            yield from keys_of_schema(below, f"{at}{key}." + ("*." if kind.name != "table" else ""))


def keys_of_file(value: Any, type_: Any, at: str = "") -> Iterator[str]:
    kind = kind_of(type_)
    if kind.name == "table":
        for key, element in value.items():
            yield at + key
            yield from keys_of_file(element, fields(kind.of)[key].type, f"{at}{key}.")
    elif kind.name in {"map", "array"} and kind_of(kind.of).name == "table":
        for element in value.values() if kind.name == "map" else value:
            yield from keys_of_file(element, kind.of, f"{at}*.")


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a text in a project with all files that it names."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    def loaded(text: str):
        (tmp_path / "seatrial.toml").write_text(text)
        return load(str(tmp_path), environ={})

    return loaded


@pytest.mark.parametrize("text", [TEXT, with_alternatives()], ids=["as it is", "with alternatives"])
def test_complete_toml_is_valid_and_lint_warns_only_of_the_open_port(loaded, text):
    assert [problem.message for problem in lint(loaded(text))] == ["an open port does not prove that the service works"]


def test_complete_toml_has_every_key_of_the_schema():
    present = {key for text in (TEXT, with_alternatives()) for key in keys_of_file(tomllib.loads(text), Project)}

    assert set(keys_of_schema(Project)) - present == set()


def test_complete_toml_explains_every_key():
    lines = TEXT.splitlines()
    unexplained = [
        line for before, line in pairwise(lines) if re.match(r"(?:#\| )?[\w-]+ = ", line) and not before.startswith("#")
    ]

    assert unexplained == []


def test_complete_toml_marks_exactly_the_values_that_are_defaults(loaded):
    sources, lines = loaded(TEXT).sources, TEXT.splitlines()
    marked = {line for before, line in pairwise(lines) if re.match(r"#.*\bdefault$", before)}
    defaults = set()
    for path, source in sources.items():
        *parents, key = path
        kind = kind_of(type_at(tuple(parents)) if parents else Project)
        if kind.name != "table" or not isinstance(key, str):
            continue
        value: Any = tomllib.loads(TEXT)
        for part in path:
            value = value[part]
        default = to_builtins(fields(kind.of)[key].default, enc_hook=str)
        if value == (list(default) if isinstance(default, tuple) else default):
            defaults.add(lines[int(source.where.rpartition(":")[2]) - 1])

    assert marked == {line for line in defaults if not line.startswith("[")}
