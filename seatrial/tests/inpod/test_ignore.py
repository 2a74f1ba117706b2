"""git is asked what its rules mean; Docker's are those of moby's own tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seatrial.inpod.ignore import DockerIgnore, GitIgnore
from seatrial.inpod.tree import left_out, read_rules, read_tree

GIT_FILES = {
    "": "*.log\n!keep.log\n/build\ntmp/\ndoc/*.txt\n**/deep\na/**/z\nout/**\n\\#x\n\\!y\nsp\\ \n# comment\nq[0-9]?.c\n"
    "[!a]b\n",
    "sub": "*.dat\n!../up.dat\nlocal/\n",
    "sub/inner": "!important.log\n",
}
PATHS = (
    "x.log", "keep.log", "sub/x.log", "sub/keep.log", "build", "build/a", "sub/build", "tmp/a", "sub/tmp/a", "tmpx",
    "doc/a.txt", "doc/b/a.txt", "sub/doc/a.txt", "deep", "u/v/deep", "u/deep/w", "a/z", "a/b/z", "a/b/c/z", "out/a",
    "out/b/c", "#x", "!y", "sp ", "q1x.c", "qx1.c", "bb", "ab", "sub/a.dat", "a.dat", "sub/local/x", "local/x",
    "sub/inner/important.log", "sub/inner/other.log", "tmp", "sub/inner/local/x",
)  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with rules in several directories."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for place, text in GIT_FILES.items():
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / ".gitignore").write_text(text)
    return tmp_path


def test_git_says_the_same(repository: Path) -> None:
    """Every path of a list, asked of git itself."""
    asked = subprocess.run(
        ["git", "check-ignore", "-z", "--stdin", "--no-index"], cwd=repository, input="\0".join(PATHS).encode(),
        capture_output=True, check=False,
    )  # fmt: skip
    theirs = set(filter(None, asked.stdout.decode().split("\0")))

    rules = GitIgnore(GIT_FILES)
    ours = {path for path in PATHS if rules.ignored(path, directory=False)}

    assert ours == theirs


def test_a_tracked_file_is_not_ignored(repository: Path) -> None:
    """`git add -f` counts: its changes have to reach the pod."""
    (repository / "forced.log").write_text("x")
    (repository / "other.log").write_text("x")
    subprocess.run(["git", "add", "-f", "forced.log"], cwd=repository, check=True)

    tree = read_tree(repository, ["."], read_rules(repository))

    assert "forced.log" in tree.files
    assert "other.log" not in tree.files


def test_rules_of_the_repository_around_the_project(repository: Path) -> None:
    """A project in a directory of a repository obeys the rules above it."""
    project = repository / "sub"
    for name in ("a.dat", "b.py", "c.log"):
        (project / name).write_text("x")
    (repository / ".git" / "info" / "exclude").write_text("b.py\n")

    assert set(read_tree(project, ["."]).files) == {".gitignore", "inner/.gitignore"}


def test_a_project_that_the_repository_around_it_ignores_is_whole(repository: Path) -> None:
    """Else nothing of it would ever be sent, and a run without the changes would be green."""
    project = repository / "tmp" / "project"
    (project / "tests").mkdir(parents=True)
    for name in ("tests/test_it.py", "tests/it.log"):
        (project / name).write_text("x")
    (project / ".gitignore").write_text("*.log\n")

    assert set(read_tree(project, ["tests"]).files) == {"tests/test_it.py"}


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
    ],
)
def test_docker(rules: str, path: str, expected: bool) -> None:
    """The last rule that matches the path or what it is in decides."""
    assert DockerIgnore(rules).ignored(path) is expected


def test_both_files_count(tmp_path: Path) -> None:
    """What either leaves out is not sent; directories with files that come back are looked into."""
    for name in ("src/a.py", "src/a.log", "src/secret/b.py", "src/secret/keep.py", "src/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / ".dockerignore").write_text("src/secret\n!src/secret/keep.py\n")

    assert set(read_tree(tmp_path, ["src"]).files) == {"src/a.py", "src/secret/keep.py"}


def test_what_is_ignored_as_a_whole_is_named(tmp_path: Path) -> None:
    """Nothing of it is sent, so nothing of it would be proven; a place without files has nothing to prove."""
    for name in ("tests/test_a.py", "src/a.py", "empty/__pycache__/a.pyc", "conftest.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("tests/\nconftest.py\n")
    paths = ["tests/", "src", "empty", "conftest.py"]

    assert left_out(tmp_path, [*paths, "none"], read_tree(tmp_path, paths)) == ["tests/", "conftest.py"]
    assert left_out(tmp_path, ["."], read_tree(tmp_path, ["."])) == []


_NAMES = st.sampled_from(["a", "b", "ab", "x.py"])
_PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "?b", "x.py"]), min_size=1, max_size=3).map("/".join)


@given(
    st.lists(st.tuples(st.booleans(), _PATTERNS), max_size=5),
    st.lists(_NAMES, min_size=2, max_size=4),
)
def test_nothing_is_brought_back_below_a_directory_that_is_not_entered(
    rules: list[tuple[bool, str]], names: list[str]
) -> None:
    ignore = DockerIgnore("\n".join(f"{'!' if keep else ''}{pattern}" for keep, pattern in rules))
    above = ["/".join(names[:depth]) for depth in range(1, len(names))]

    if any(ignore.ignored(directory, directory=True) for directory in above):
        assert ignore.ignored("/".join(names))


def test_a_directory_is_entered_only_for_rules_that_reach_into_it() -> None:
    """`*` and then what is wanted: nobody walks through an environment with ten thousand files for that."""
    ignore = DockerIgnore("*\n!src/app\n!tests\n**/data\n")

    assert ignore.ignored(".venv", directory=True)
    assert not ignore.ignored("src", directory=True)
    assert ignore.ignored("src/other", directory=True)
    assert ignore.ignored("tests/data", directory=True)
