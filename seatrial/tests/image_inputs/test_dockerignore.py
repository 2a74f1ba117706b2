"""The rules of `.dockerignore`: those of moby's own tests. The engine is asked in tests/conformance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.image_inputs.dockerignore import BadPattern, DockerIgnore


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        # https://github.com/moby/patternmatcher/blob/main/patternmatcher_test.go has these as its facts.
        ("**", "file", True),
        ("**/", "dir/file", True),
        ("**/**", "dir/dir/file", True),
        ("dir/**", "dir/file", True),
        ("dir/**", "dir", False),
        ("**/file", "dir/dir/file", True),
        ("**/file", "file", True),
        ("a**b", "a/x/b", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/*", "dir/dir2/dir2/file", True),
        ("file?", "file2", True),
        ("file?", "file", False),
        ("[a-c]x", "bx", True),
        ("[^a]x", "ax", False),
        ("abc.def", "abcXdef", False),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
        ("dir", "dir/below/it", True),
        ("/dir", "dir/below", True),
        ("./dir/../dir/", "dir/x", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README.md", "x.md", True),
        ("docs\n!docs/keep.txt", "docs/keep.txt", False),
        ("docs\n!docs/keep.txt", "docs/other.txt", True),
        ("!a\n*", "a", True),
        ("# comment\n\n", "# comment", False),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("*/b", "a/b/c", True),
        # A `!` pattern is not tried on a directory that is included, and files in it do not match it themselves.
        ("**/*.txt\n!tests/b", "tests/b/three.txt", True),
        ("tests\n!tests/b", "tests/b/three.txt", False),
    ],
)
def test_ignored_follows_docker(rules: str, path: str, expected: bool) -> None:
    """The last rule that matches the path or what it is in decides."""
    assert DockerIgnore(rules).ignored(path) is expected


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("a[!b]", "a!", True),
        ("a[!b]", "ac", False),
        ("[a\\-c]x", "-x", True),
        ("[a\\-c]x", "bx", False),
        ("a&&[&|~]", "a&&|", True),
        ("caf\udce9", "caf\udce9", True),
        ("a b", "a b", True),
        ("a\x0cb", "a\x0cb", True),
        ("\\a", "a", False),
        ("\\a", "\a", True),
        ("\\d", "7", True),
        ("[\\d]", "7", True),
        ("\\d", "\u0667", False),
        ("\\[x\\]", "[x]", True),
        ("# the first line\n\ufeff*.txt", "a.txt", True),
        ("# the first line\n\ufeffa.txt", "a.txt", False),
    ],
)
def test_special_characters_follow_go(rules: str, path: str, expected: bool) -> None:
    """A class is negated by ^ only; bytes of another encoding are bytes."""
    assert DockerIgnore(rules).ignored(path) is expected


@pytest.mark.parametrize("pattern", ["[b-a]", "[", "a[", "[]", "[]a]", "[^]", "a\\", "[a", "!", "[-a]", "\\c", "[\\9]"])
def test_invalid_pattern_is_an_error_with_its_line(pattern: str) -> None:
    with pytest.raises(BadPattern) as caught:
        DockerIgnore(f"# comment\n*.log\n{pattern}\n")
    assert (caught.value.pattern, caught.value.line) == (pattern, 3)


_NAMES = st.sampled_from(["a", "b", "ab", "x.py"])
_PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "?b", "x.py"]), min_size=1, max_size=3).map("/".join)


@given(
    st.lists(st.tuples(st.booleans(), _PATTERNS), max_size=5),
    st.lists(_NAMES, min_size=2, max_size=4),
)
def test_nothing_is_included_below_an_excluded_directory(rules: list[tuple[bool, str]], names: list[str]) -> None:
    ignore = DockerIgnore("\n".join(f"{'!' if keep else ''}{pattern}" for keep, pattern in rules))
    above = ["/".join(names[:depth]) for depth in range(1, len(names))]

    if any(ignore.ignored(directory, directory=True) for directory in above):
        assert ignore.ignored("/".join(names))


def test_directory_is_entered_only_for_rules_below_it() -> None:
    """With `*` and exceptions, ignored directories such as `.venv` are not read."""
    ignore = DockerIgnore("*\n!src/app\n!tests\n**/data\n")

    assert ignore.ignored(".venv", directory=True)
    assert not ignore.ignored("src", directory=True)
    assert ignore.ignored("src/other", directory=True)
    assert ignore.ignored("tests/data", directory=True)
