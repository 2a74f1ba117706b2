"""Which files Python or pytest load by themselves, and which patterns mean such files."""

import pytest
from seatrial.model.loaded_files import is_loaded, is_named_by, may_hold_tests, names_code


@pytest.mark.parametrize(
    ("path", "loaded"),
    [
        ("tests/helper.py", True), ("tests/CONFTEST.PY", True), ("tests/__pycache__/a.pyc", True), ("x.pth", True),
        ("lib/native.cpython-311.so", True), ("tests/pytest.ini", True), ("tox.ini", True), ("pyproject.toml", True),
        ("tests/x.egg-info/entry_points.txt", True), ("tests/x.dist-info", True), ("plugin.whl", True),
        ("tests/a.ambr", False), ("tests/data.toml", False), ("tests/py", False), ("tests/a.py.json", False),
        ("tests/test_a.txt", False), ("py.d/data", False),
    ],
)  # fmt: skip
def test_modules_settings_and_metadata_are_loaded(path, loaded):
    assert is_loaded(path) is loaded


@pytest.mark.parametrize(
    ("path", "found"), [("a/test_a.txt", True), ("Test.TXT", True), ("a.txt", False), ("test.md", False)]
)
def test_text_files_of_tests_may_hold_doctests(path, found):
    assert may_hold_tests(path) is found


@pytest.mark.parametrize(
    ("pattern", "path", "named"),
    [
        ("tests/**/*.py", "tests/a.py", True), ("tests/*.py", "tests/conftest.py", False),
        ("tests/conftest.py", "tests/conftest.py", True), ("tests/**", "tests/a.py", False),
        ("tests/*.txt", "tests/test_a.txt", True), ("tests/*", "tests/test_a.txt", False),
        ("tests/*.ini", "tests/pytest.ini", False), ("tests/pytest.ini", "tests/pytest.ini", True),
        ("tests/**/*.txt", "tests/a.egg-info/entry_points.txt", False), ("*.PY", "a.py", True),
        ("tests/*.p?", "tests/a.py", False),
    ],
)  # fmt: skip
def test_pattern_means_modules_and_settings_only_by_their_names(pattern, path, named):
    assert is_named_by(pattern, path) is named


@pytest.mark.parametrize(
    ("pattern", "code"),
    [("tests/**/*.py", True), ("tests/conftest.py", True), ("tests/**", False), ("**/__snapshots__/*.json", False)],
)
def test_patterns_that_mean_code_are_known(pattern, code):
    assert names_code(pattern) is code
