from __future__ import annotations

import pytest
from seatrial.image_inputs.context_use import BaseImage
from seatrial.image_inputs.copied_files import analyze

from .contexts import CONTEXT, HEAD, copied


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY tests tests", {"tests/test_a.py", "tests/data/a.json"}),
        ("COPY ./tests/ /app/tests", {"tests/test_a.py", "tests/data/a.json"}),
        ('COPY ["conftest.py", "./"]', {"conftest.py"}),
        ("COPY *.txt conf* ./", {"requirements.txt", "conftest.py"}),
        ("COPY t*/data x", {"tests/data/a.json"}),
        ("COPY tests/*.py x/", {"tests/test_a.py"}),
        ("COPY --chown=1 --link conftest.py .", {"conftest.py"}),
        ("ADD conftest.py https://example.com/x /", {"conftest.py"}),
        ("COPY <<EOF /x\nhello\nEOF", set()),
        ("COPY --from=other:1 /a /a", set()),
        ("RUN --mount=type=bind,source=docs,target=/d true", {"docs/index.md"}),
        ("RUN --mount=type=cache,target=/d true", set()),
        ("ARG X=docs\nCOPY $X x", {"docs/index.md"}),
        ("ENV X=docs\nCOPY ${X}/ x", {"docs/index.md"}),
        ("COPY ../../docs x", {"docs/index.md"}),
    ],
)
def test_instruction_copies_the_files_that_it_names(text: str, expected: set[str]) -> None:
    assert copied(analyze(HEAD + text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "COPY . .",
        "COPY / /app",
        "COPY $NOBODY x",
        "ARG X\nCOPY $X x",
        "COPY --parents tests x",
        "RUN --mount=target=/src true",
        "NONSENSE x",
        "ONBUILD COPY . .",
        "COPY [a tests",
        "COPY --from=$NOBODY /a /a",
    ],
)
def test_unsupported_instruction_makes_all_files_inputs(text: str) -> None:
    assert copied(analyze(HEAD + text)) == {path for path, entry in CONTEXT.items() if entry.kind == "f"}


def test_unknown_frontend_makes_all_files_inputs() -> None:
    assert analyze("# syntax=example.com/own\nFROM a\n").everything
    assert not analyze("# syntax=docker/dockerfile:1.7\nFROM a\n").everything


def test_base_image_with_onbuild_makes_all_files_inputs() -> None:
    assert analyze("FROM a\n", bases={"a": BaseImage("/", triggers=True)}).everything


def test_variables_of_the_base_image_take_precedence_over_arguments() -> None:
    text = "FROM a\nARG X=docs\nCOPY $X x"
    assert copied(analyze(text, bases={"a": BaseImage("/", {"X": "src"})})) == {
        "src/shop/__init__.py",
        "src/shop/a.py",
    }


def test_only_stages_that_the_target_needs_are_analyzed() -> None:
    text = "FROM a AS one\nCOPY docs d\nFROM b AS two\nCOPY tests t\nFROM c\nCOPY --from=one /d /d\n"

    assert copied(analyze(text)) == {"docs/index.md"}
    assert copied(analyze(text, target="two")) == {"tests/test_a.py", "tests/data/a.json"}
    assert [base.reference for base in analyze(text).bases] == ["a", "c"]


def test_bases_are_of_from_copy_and_mount() -> None:
    text = (
        "ARG TAG=1\nFROM --platform=linux/amd64 a:${TAG} AS one\nRUN --mount=type=bind,from=b,target=/b true\n"
        "COPY --from=c /x /x\nFROM one\nCOPY --from=0 /x /x\nFROM scratch\nCOPY --from=1 / /\n"
    )
    assert [base.reference for base in analyze(text).bases] == ["a:1", "b", "c"]
    assert [base.reference for base in analyze(text, args={"TAG": "2"}).bases] == ["a:2", "b", "c"]
