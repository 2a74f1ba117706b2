"""What a Dockerfile takes from its context, and which changes of files can be sent instead of built."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.image_inputs.copied_files import Analysis, BaseImage, analyze
from seatrial.image_inputs.dockerfile import expand, parse
from seatrial.image_inputs.sync_folders import Places, places_of
from seatrial.image_inputs.working_tree import Entry, Files

HEAD = "FROM python:3.13\nWORKDIR /app\n"


def files(*paths: str) -> dict[str, Entry]:
    """Return a context with these files and the directories that they are in."""
    found = {path: Entry("f", 0o644, 1, "x") for path in paths}
    for path in paths:
        names = path.split("/")
        found |= {"/".join(names[:depth]): Entry("d", 0o755, 0, "") for depth in range(1, len(names))}
    return found


CONTEXT = files(
    "tests/test_a.py", "tests/data/a.json", "src/shop/__init__.py", "src/shop/a.py", "pyproject.toml",
    "requirements.txt", "docs/index.md", "conftest.py",
)  # fmt: skip


def places(text: str, sync: Sequence[str] = ("tests", "src"), there: Files = CONTEXT, **more: object) -> Places:
    """Return the places of an image of a Dockerfile."""
    analysis = analyze(text)
    return Places(analysis, "/app", places_of(analysis, "/app", sync, there), there, **more)  # type: ignore[arg-type]


def refused(text: str, path: str = "tests/test_a.py", **more: object) -> str:
    """Return why a change of a file is not sent."""
    return places(text, **more).refuses(path, CONTEXT.get(path), CONTEXT.get(path))  # type: ignore[arg-type]


def copied(analysis: Analysis) -> set[str]:
    """Return which files of the context the image can have."""
    return {path for path, entry in CONTEXT.items() if entry.kind == "f" and analysis.copies(path)}


class TestParse:
    def test_lines_continue_over_comments_and_empty_lines(self) -> None:
        found = parse("# a\n\nFROM a\nRUN one \\\n# comment\n\n  two\nCOPY a b").instructions

        assert [(each.line, each.name, each.text) for each in found] == [
            (3, "FROM", "a"),
            (4, "RUN", "one   two"),
            (8, "COPY", "a b"),
        ]

    def test_the_escape_directive_changes_the_continuation(self) -> None:
        found = parse("# escape=`\nFROM a\nCOPY a `\n  b\nRUN x \\\nCMD y")

        assert found.escape == "`"
        assert [each.name for each in found.instructions] == ["FROM", "COPY", "RUN", "CMD"]

    def test_a_directive_after_a_comment_is_a_comment(self) -> None:
        assert parse("# note\n# escape=`\nFROM a").escape == "\\"

    def test_bodies_of_heredocs_are_no_instructions(self) -> None:
        text = "FROM a\nRUN <<EOF\nCOPY secret /\nEOF\nCOPY <<-'ONE' <<TWO /etc/\n1\n\tONE\n2\nTWO\nCOPY a b\n"
        found = parse(text).instructions

        assert [(each.name, each.heredocs) for each in found] == [("FROM", 0), ("RUN", 1), ("COPY", 2), ("COPY", 0)]

    def test_flags_and_both_forms(self) -> None:
        one, two = parse('COPY --chown=1:1 --from=a ["b c", "d"]\nADD --link x y').instructions

        assert (one.flag("from"), one.words, two.flag("link"), two.words) == ("a", ["b c", "d"], "", ["x", "y"])

    @given(st.text(alphabet="FROMCPYRUN \\\n#<'\"`=$[]{}-aE", max_size=120))
    def test_no_text_breaks_it(self, text: str) -> None:
        analyze(text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a$A", "a1"), ("${A}b", "1b"), ("'$A'", "$A"), ('"$A b"', "1 b"), ("\\$A", "$A"), ("${B:-x}", "x"),
            ("${B-x}", "x"), ("${A:-x}", "1"), ("${A:+x}", "x"), ("${B:+x}", ""), ("${B:-${A}}", "1"), ("$B", None),
            ("${C:-x}", None), ("$C", None), ("${A%1}", None), ("'a", None), ('"a', None), ("$", None), ("${A", None),
        ],
    )  # fmt: skip
    def test_variables(self, text: str, value: str | None) -> None:
        assert expand(text, {"A": "1", "B": None}) == value


class TestWhatIsCopied:
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
    def test_only_what_it_names(self, text: str, expected: set[str]) -> None:
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
    def test_what_is_not_understood_counts_as_all(self, text: str) -> None:
        assert copied(analyze(HEAD + text)) == {path for path, entry in CONTEXT.items() if entry.kind == "f"}

    def test_other_frontends_count_as_all(self) -> None:
        assert analyze("# syntax=example.com/own\nFROM a\n").everything
        assert not analyze("# syntax=docker/dockerfile:1.7\nFROM a\n").everything

    def test_a_base_with_onbuild_instructions_counts_as_all(self) -> None:
        assert analyze("FROM a\n", bases={"a": BaseImage("/", triggers=True)}).everything

    def test_variables_of_the_base_win_over_arguments(self) -> None:
        text = "FROM a\nARG X=docs\nCOPY $X x"
        assert copied(analyze(text, bases={"a": BaseImage("/", {"X": "src"})})) == {
            "src/shop/__init__.py",
            "src/shop/a.py",
        }

    def test_only_stages_that_the_target_needs_count(self) -> None:
        text = "FROM a AS one\nCOPY docs d\nFROM b AS two\nCOPY tests t\nFROM c\nCOPY --from=one /d /d\n"

        assert copied(analyze(text)) == {"docs/index.md"}
        assert copied(analyze(text, target="two")) == {"tests/test_a.py", "tests/data/a.json"}
        assert [base.reference for base in analyze(text).bases] == ["a", "c"]

    def test_base_images_of_all_instructions(self) -> None:
        text = (
            "ARG TAG=1\nFROM --platform=linux/amd64 a:${TAG} AS one\nRUN --mount=type=bind,from=b,target=/b true\n"
            "COPY --from=c /x /x\nFROM one\nCOPY --from=0 /x /x\nFROM scratch\nCOPY --from=1 / /\n"
        )
        assert [base.reference for base in analyze(text).bases] == ["a:1", "b", "c"]
        assert [base.reference for base in analyze(text, args={"TAG": "2"}).bases] == ["a:2", "b", "c"]


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "text",
        [
            "COPY tests tests",
            "COPY . .",
            "COPY --chown=1000:1000 ./tests/ /app/tests/",
            "RUN make\nCOPY tests tests",
            "COPY tests tests\nUSER 1\nENV A=b\nCMD x\nEXPOSE 1\nLABEL a=b",
            "COPY tests tests\nRUN chown -R 1000:1000 /app",
            "COPY tests tests\nRUN useradd --uid 1000 --create-home tester && chown 1000:1000 /app",
            "COPY tests tests\nRUN apt-get update && apt-get install -y git curl && rm -rf /var/lib/apt/lists/*",
            "COPY tests tests\nRUN apk add --no-cache git",
            "COPY tests tests\nRUN pip install --no-cache-dir 'pytest>=9' pytest-cov==7.1",
            "COPY requirements.txt .\nCOPY tests tests\nRUN pip install --require-hashes -r requirements.txt",
            "COPY pyproject.toml ./\nCOPY tests tests\nRUN uv sync --frozen",
            "COPY tests tests\nRUN python -m pip install --no-deps -e .",
            'COPY tests tests\nRUN ["chown", "1", "/app"]',
            "COPY tests tests\nCOPY --from=other:1 /uv /usr/bin/uv",
            "COPY --from=other:1 /app /app\nCOPY tests tests",
            "COPY conftest.py pyproject.toml ./\nCOPY tests tests",
            "COPY conf*.py ./\nCOPY tests tests",
        ],
    )
    def test_what_a_plain_copy_puts_in_its_place(self, text: str) -> None:
        assert refused(HEAD + text) == ""

    @pytest.mark.parametrize(
        ("text", "line", "reason"),
        [
            ("COPY tests tests\nRUN pytest", 4, "RUN pytest may depend on it"),
            ("COPY . .\nRUN pip install .", 4, "RUN pip install . may"),
            ("COPY tests tests\nRUN pip install -r requirements.txt", 4, "may depend"),
            ("COPY tests tests\nRUN pip install $(cat tests/req)", 4, "may depend"),
            ("COPY tests tests\nRUN chown 1 /app; sed -i s/a/b/ tests/x", 4, "may depend"),
            ("COPY tests tests\nRUN chown 1 /app > tests/x", 4, "may depend"),
            ("COPY tests tests\nRUN chown 1 /app | sh", 4, "may depend"),
            ("COPY tests tests\nRUN chown 1 `cat tests/x`", 4, "may depend"),
            ("COPY tests tests\nRUN chmod -R 700 tests", 4, "may depend"),
            ("COPY tests tests\nRUN uv sync --no-editable", 4, "may depend"),
            ("COPY tests tests\nRUN pip install ./wheels/x.whl", 4, "may depend"),
            ("COPY tests tests\nRUN <<EOF\nchown 1 /app\nEOF", 4, "may depend"),
            ('COPY tests tests\nSHELL ["/odd"]\nRUN chown 1 /app', 5, "may depend"),
            ("COPY tests tests\nRUN rm -rf /app/tests/data", 4, "works on /app/tests/data"),
            ("COPY tests tests\nRUN rm -rf /app/tests/*", 4, "works on /app/tests"),
            ("COPY tests tests\nRUN pip install --require-hashes -r tests/r.txt", 4, "works on /app/tests/r.txt"),
            ("COPY --chmod=755 tests tests", 3, "--chmod"),
            ("COPY --exclude=a tests tests", 3, "--exclude"),
            ("ADD tests tests", 3, "ADD"),
            ("COPY t*s tests", 3, "wildcard"),
            ("COPY tests /other", 3, "another place"),
            ("COPY tests ./", 3, "another place"),
            ("COPY tests src ./", 3, "another place"),
            ("COPY tests tests\nCOPY docs tests/docs", 4, "docs/index.md is copied into tests"),
            ("COPY tests tests\nCOPY docs tests", 4, "docs/index.md is copied into tests"),
            ("COPY tests tests\nCOPY --from=b /x /app/tests/x", 4, "COPY of other files"),
            ("COPY tests tests\nCOPY --from=b /app /app", 4, "COPY of other files"),
            ("COPY tests tests\nCOPY <<EOF tests/x\n1\nEOF", 4, "COPY of other files"),
            ("COPY tests tests\nADD https://example.com/x tests/", 4, "ADD of other files"),
            ("COPY tests tests\nVOLUME /app/tests", 4, "VOLUME"),
            ("COPY tests tests\nRUN --mount=type=bind,target=/x true", 4, "--mount"),
            ("COPY tests tests\nCOPY tests copy", 4, "another place"),
        ],
    )
    def test_what_is_in_doubt_is_built(self, text: str, line: int, reason: str) -> None:
        message = refused(HEAD + text)

        assert f"Dockerfile line {line}: " in message
        assert reason in message

    def test_the_remedy_is_named(self) -> None:
        assert "move COPY tests below the last RUN" in refused(HEAD + "COPY tests tests\nRUN pytest")

    def test_earlier_stages_of_the_same_image_count(self) -> None:
        assert refused(HEAD.replace("13", "13 AS a") + "COPY tests tests\nFROM a\nRUN chown 1 /app") == ""
        assert "line 5" in refused(HEAD.replace("13", "13 AS a") + "COPY tests tests\nFROM a\nRUN pytest")

    def test_files_that_come_out_of_another_stage_are_built(self) -> None:
        text = f"FROM a AS b\nWORKDIR /app\nCOPY tests tests\n{HEAD}COPY --from=b /app /app\n"
        assert "another stage" in refused(text)

    def test_a_stage_that_is_copied_from_and_started_from_is_in_doubt(self) -> None:
        text = f"{HEAD.replace('13', '13 AS a')}COPY tests tests\nFROM a\nCOPY --from=a /app/tests/test_a.py /x\n"
        assert "another stage" in refused(text)

    def test_an_unknown_working_directory_is_in_doubt(self) -> None:
        assert "is not known" in refused("FROM a\nCOPY tests tests")
        known = analyze("FROM a\nCOPY tests tests", bases={"a": BaseImage("/app")})
        assert places_of(known, "/app", ("tests",), CONTEXT) == ("tests",)

    def test_folders_are_cut_to_what_sync_names(self) -> None:
        assert places(HEAD + "COPY . .", ("tests/data", "none")).paths == ("tests/data",)
        assert places(HEAD + "COPY src/shop src/shop", ("src",)).paths == ("src/shop",)
        assert places(HEAD + "COPY . .", (".",)).paths == ("docs", "src", "tests")
        assert places(HEAD + "COPY . .", ("tests", "tests/data")).paths == ("tests",)

    @pytest.mark.parametrize(
        ("before", "now", "reason"),
        [
            (None, Entry("f", 0o600, 1, "x"), "others than its owner"),
            (None, Entry("d", 0o700, 0, ""), "others than its owner"),
            (Entry("f", 0o600, 1, "x"), Entry("f", 0o644, 1, "x"), "others than its owner"),
            (None, Entry("f", 0o4755, 1, "x"), "more than permissions"),
            (None, Entry("l", 0, 0, "/etc/passwd"), "leads out"),
            (None, Entry("l", 0, 0, "../../x"), "leads out"),
            (Entry("l", 0, 0, "/x"), None, "leads out"),
            (None, Entry("l", 0, 0, "../src"), ""),
            (Entry("d", 0o755, 0, ""), Entry("d", 0o775, 0, ""), "mode of a folder"),
            (Entry("f", 0o644, 1, "x"), Entry("f", 0o755, 1, "x"), ""),
        ],
    )
    def test_odd_entries_are_built(self, before: Entry | None, now: Entry | None, reason: str) -> None:
        message = places(HEAD + "COPY tests tests").refuses("tests/x", before, now)

        assert reason in message
        assert bool(message) == bool(reason)

    def test_an_owner_by_chown_may_read_alone(self) -> None:
        private = Entry("f", 0o600, 1, "x")
        assert places(HEAD + "COPY --chown=1 tests tests").refuses("tests/x", None, private) == ""

    @pytest.mark.parametrize(
        ("path", "settled", "reason"),
        [
            ("src/shop/a.py", True, ""),
            ("src/shop/data.json", True, ""),
            ("src/shop/fast.pyx", True, "may depend on this file"),
            ("src/shop/pyproject.toml", True, "may depend on this file"),
            ("src/new/__init__.py", True, "a folder more or less"),
            ("src/shop/a.py", False, "dynamic metadata"),
        ],
    )
    def test_editable_installations(self, path: str, settled: bool, reason: str) -> None:
        found = places(HEAD + "COPY src src\nRUN pip install -e .", settled=settled)
        message = found.refuses(path, CONTEXT.get(path), CONTEXT.get(path))

        assert reason in message
        assert bool(message) == bool(reason)
