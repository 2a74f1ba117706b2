"""Sources of instructions, and the paths in the image to which they copy files."""

from __future__ import annotations

import re

import pytest
from seatrial.image_inputs.context_use import WHOLE_CONTEXT, Analysis, Doubt, Read, Source

TESTS = Source("tests")
WHOLE = Source(WHOLE_CONTEXT)
PATTERN = Source("t*/*.py", (re.compile("t[^/]*"), re.compile(r"[^/]*\.py")))


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        (TESTS, "tests", True),
        (TESTS, "tests/a.py", True),
        (TESTS, "tests2/a.py", False),
        (TESTS, "src/tests/a.py", False),
        (WHOLE, "any/file", True),
        (PATTERN, "tests/a.py", True),
        (PATTERN, "tests/a.py/below", True),
        (PATTERN, "tests", False),
        (PATTERN, "src/a.py", False),
    ],
)
def test_source_matches_its_path_and_what_is_below(source: Source, path: str, expected: bool) -> None:
    assert source.matches(path) is expected


@pytest.mark.parametrize(
    ("source", "directory", "expected"),
    [
        (Source("tests/data"), "tests", True),
        (TESTS, "tests/data", True),
        (TESTS, "src", False),
        (PATTERN, "tests", True),
        (PATTERN, "src", False),
    ],
)
def test_source_reaches_below_a_directory(source: Source, directory: str, expected: bool) -> None:
    assert source.reaches_below(directory) is expected
    assert Analysis(reads=(Read(order=0, line=1, sources=(source,)),)).reaches_below(directory) is expected


@pytest.mark.parametrize(
    ("source", "path", "targets"),
    [
        (TESTS, "tests/a.py", ["/app/a.py"]),
        (WHOLE, "tests/a.py", ["/app/tests/a.py"]),
        (Source("a.py"), "a.py", ["/app", "/app/a.py"]),
        (PATTERN, "tests/a.py", ["/app", "/app/a.py"]),
        (TESTS, "src/a.py", []),
    ],
)
def test_targets_are_all_paths_to_which_a_file_may_be_copied(source: Source, path: str, targets: list[str]) -> None:
    """A single file may be copied to the path or into it as a directory."""
    assert Read(order=0, line=1, sources=(source,), destination="/app").targets(path) == targets
    assert Read(order=0, line=1, sources=(source,)).targets(path) == []


def test_analysis_copies_only_read_files_unless_all_are_inputs() -> None:
    read = Analysis(reads=(Read(order=0, line=1, sources=(TESTS,)),))
    everything = Analysis(everything=Doubt(3, "unknown instruction"))

    assert (read.copies("tests/a.py"), read.copies("src/a.py")) == (True, False)
    assert (everything.copies("src/a.py"), everything.reaches_below("src")) == (True, True)


@pytest.mark.parametrize(
    ("doubt", "text"),
    [
        (Doubt(3, "RUN may change it", "copy it later"), "Dockerfile line 3: RUN may change it (copy it later)"),
        (Doubt(0, "no Dockerfile"), "no Dockerfile"),
    ],
)
def test_doubt_names_line_and_remedy(doubt: Doubt, text: str) -> None:
    assert str(doubt) == text
