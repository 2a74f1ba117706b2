from __future__ import annotations

import tomllib

from seatrial.config.toml_text import toml_key, toml_lines, toml_value


def test_lines_are_read_back_as_written():
    values = {"name": 'quote " and \\ and é', "ports": ["a", "b"], "number": 3, "table": {"a.b": "1", "c": 2}}

    assert tomllib.loads(toml_lines(**values)) == values


def test_values_that_are_none_are_left_out():
    assert toml_lines(a=None, b="1") == 'b = "1"\n'
    assert toml_value({"a": None, "b": 1}) == "{ b = 1 }"


def test_keys_are_quoted_where_needed():
    assert [toml_key("a-b_1"), toml_key("a.b"), toml_key("")] == ["a-b_1", '"a.b"', '""']
