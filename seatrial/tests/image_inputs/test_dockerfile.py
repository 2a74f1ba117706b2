from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.dockerfile import expand, parse


def test_parse_joins_lines_over_comments_and_empty_lines() -> None:
    found = parse("# a\n\nFROM a\nRUN one \\\n# comment\n\n  two\nCOPY a b").instructions

    assert [(each.line, each.name, each.text) for each in found] == [
        (3, "FROM", "a"),
        (4, "RUN", "one   two"),
        (8, "COPY", "a b"),
    ]


def test_parse_uses_the_escape_directive() -> None:
    found = parse("# escape=`\nFROM a\nCOPY a `\n  b\nRUN x \\\nCMD y")

    assert found.escape == "`"
    assert [each.name for each in found.instructions] == ["FROM", "COPY", "RUN", "CMD"]


def test_parse_ignores_a_directive_after_a_comment() -> None:
    assert parse("# note\n# escape=`\nFROM a").escape == "\\"


def test_parse_skips_bodies_of_heredocs() -> None:
    text = "FROM a\nRUN <<EOF\nCOPY secret /\nEOF\nCOPY <<-'ONE' <<TWO /etc/\n1\n\tONE\n2\nTWO\nCOPY a b\n"
    found = parse(text).instructions

    assert [(each.name, each.heredocs) for each in found] == [("FROM", 0), ("RUN", 1), ("COPY", 2), ("COPY", 0)]


def test_instruction_returns_flags_and_words_of_both_forms() -> None:
    one, two = parse('COPY --chown=1:1 --from=a ["b c", "d"]\nADD --link x y').instructions

    assert (one.flag("from"), one.words, two.flag("link"), two.words) == ("a", ["b c", "d"], "", ["x", "y"])


@given(st.text(alphabet="FROMCPYRUN \\\n#<'\"`=$[]{}-aE", max_size=120))
def test_analyze_accepts_any_text(text: str) -> None:
    analyze(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a$A", "a1"), ("${A}b", "1b"), ("'$A'", "$A"), ('"$A b"', "1 b"), ("\\$A", "$A"), ("${B:-x}", "x"),
        ("${B-x}", "x"), ("${A:-x}", "1"), ("${A:+x}", "x"), ("${B:+x}", ""), ("${B:-${A}}", "1"), ("$B", None),
        ("${C:-x}", None), ("$C", None), ("${A%1}", None), ("'a", None), ('"a', None), ("$", None), ("${A", None),
    ],
)  # fmt: skip
def test_expand_replaces_variables(text: str, value: str | None) -> None:
    assert expand(text, {"A": "1", "B": None}) == value
