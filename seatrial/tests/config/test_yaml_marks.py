"""Values of YAML files with their lines."""

from __future__ import annotations

import pytest
import yaml
from seatrial.config.yaml_marks import read

TEXT = """\
# values of a chart
image:
  repository: acme/shop
  tag: 1.10
list:
  - name: a
  - name: b
"""


def test_values_have_the_lines_of_the_file() -> None:
    found = read(TEXT)

    assert (found.line, found.line_of("image"), found.line_of("list")) == (2, 3, 6)
    image = found.inside("image")
    assert image is not None
    assert (image.get("repository"), image.line_of("tag")) == ("acme/shop", 4)


def test_source_keeps_the_text_of_a_scalar() -> None:
    """`1.10` is the number 1.1 for YAML."""
    image = read(TEXT).inside("image")

    assert image is not None
    assert (image.source_of("tag"), image.get("tag")) == ("1.10", 1.1)
    assert read(TEXT).source_of("image") == ""


def test_missing_key_has_the_line_of_its_table() -> None:
    found = read(TEXT)

    assert (found.inside("nothing"), found.get("nothing"), found.line_of("nothing")) == (None, None, 2)
    assert found.source_of("nothing") == ""


def test_elements_of_a_sequence() -> None:
    found = read(TEXT).inside("list")

    assert found is not None
    assert [(each.line, each.get("name")) for each in found.elements()] == [(6, "a"), (7, "b")]
    assert found.inside("name") is None
    assert found.get("name") is None


def test_walk_visits_all_nodes() -> None:
    assert [each.value for each in read("a: [1, {b: 2}]").walk()] == [
        {"a": [1, {"b": 2}]},
        [1, {"b": 2}],
        1,
        {"b": 2},
        2,
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_empty_document_has_no_values(text: str) -> None:
    found = read(text)

    assert (found.value, found.line, found.get("a"), list(found.elements())) == (None, 1, None, [])
    assert len(list(found.walk())) == 1


@pytest.mark.parametrize("text", ["a: [", "a: !!python/object:os.system {}\n", "a: 1\n---\nb: 2\n"])
def test_invalid_or_unsafe_document_is_an_error(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read(text)
