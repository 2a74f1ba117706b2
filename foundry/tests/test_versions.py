"""Test parsing of program versions and evaluation of requirements."""

from __future__ import annotations

import pytest

from foundry import versions


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("kind v0.33.0 go1.26.8 linux/amd64", (0, 33, 0)),
        ("v4.3.1+g1234567", (4, 3, 1)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("Client Version: v1.34.4\nKustomize Version: v5.7.1", (1, 34, 4)),
        ("kind v0.34.0-alpha+5b4", (0, 34, 0)),
        ("no number here", ()),
    ],
)
def test_parse_returns_first_version(printed, version):
    assert versions.parse(printed) == version


@pytest.mark.parametrize(
    ("requirement", "version", "good"),
    [
        ("==0.33.0", (0, 33, 0), True),
        ("==0.33.0", (0, 33, 1), False),
        ("==1.34", (1, 34, 9), True),
        ("==1.3", (1, 34, 9), False),
        (">=3.18", (4, 0, 0), True),
        (">=3.18", (3, 9, 9), False),
        (">=3.18,<5", (5, 0), False),
        (">=3.18", (), False),
    ],
)
def test_accepts_evaluates_requirement(requirement, version, good):
    assert versions.accepts(requirement, version) is good


def test_accepts_invalid_requirement_is_an_error():
    with pytest.raises(ValueError, match="~1"):
        versions.accepts("~1", (1, 0))


def test_format_version_is_dotted():
    assert versions.format_version((1, 34, 4)) == "1.34.4"
