"""Which argument goes where."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.inpod.options import OPTIONS, Invocation, resolve
from seatrial.inpod.options.table import by_name, render
from seatrial.model.errors import UsageError

COMMAND = ("uv", "run", "pytest", "tests/", "packages/*/tests/", "--cov", "-v")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "pytest-options.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "tests" / "test_a.py").touch()
    return tmp_path


def resolved(root: Path, *args: str, **more: object) -> Invocation:
    return resolve(COMMAND, args, root=root, **more)  # type: ignore[arg-type]


def test_the_page_is_made_of_the_table() -> None:
    """`python -m seatrial.inpod.options > docs/reference/pytest-options.md` when this fails."""
    assert PAGE.read_text() == render()


def test_the_table_knows_every_option_of_pytest(tmp_path: Path) -> None:
    """Also those of pytest-cov and pytest-xdist, and whether they take a value."""
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_cov.plugin", "-p", "xdist.plugin"]
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--help", *plugins], cwd=tmp_path, capture_output=True, check=True, text=True,
        env={"COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    ).stdout  # fmt: skip
    listed = set()
    for line in shown.split("[pytest] configuration options")[0].splitlines():
        if match := re.match(r"  (-.*?)(?:  |$)", line):
            for part in match[1].split(", "):
                name = re.match(r"-[\w-]+", part)
                listed.add((name[0] if name else part, bool(re.search(r"[= ]\S", part[2:]))))
    unknown = {name for name, _ in listed if by_name(name) is None}
    assert unknown == set()
    for name, value in listed:
        option = by_name(name)
        if option and name == option.names[0]:
            assert value == (option.value != "none"), name


def test_no_name_is_listed_twice() -> None:
    """Each name means one option."""
    names = [name for option in OPTIONS for name in option.names]

    assert len(names) == len(set(names))


def test_the_command_alone(root: Path) -> None:
    """Paths come first: behind `--cov` they would be its value."""
    assert resolved(root).argv == COMMAND


def test_options_come_behind(root: Path) -> None:
    """What the user types is added."""
    assert resolved(root, "-k", "s3 and not sts", "-x").argv == (*COMMAND, "-k", "s3 and not sts", "-x")


def test_paths_replace_those_of_the_command(root: Path) -> None:
    """Who names a test wants that one."""
    argv = resolved(root, "tests/test_a.py::test_x[a::b]", "--lf").argv

    assert argv == ("uv", "run", "pytest", "tests/test_a.py::test_x[a::b]", "--cov", "-v", "--lf")


def test_paths_are_those_of_the_project(root: Path) -> None:
    """From wherever the user stands, and for options that take paths too."""
    argv = resolved(root, "test_a.py", "--ignore", "deep", "--deselect=test_a.py::x", "-c../tests/test_a.py",
                    cwd=root / "tests").argv  # fmt: skip

    assert argv == ("uv", "run", "pytest", "tests/test_a.py", "--cov", "-v", "--ignore", "tests/deep",
                    "--deselect=tests/test_a.py::x", "-c", "tests/test_a.py")  # fmt: skip


def test_paths_outside_of_the_project_are_refused(root: Path) -> None:
    """The pod does not have them."""
    with pytest.raises(UsageError, match="outside of the project"):
        resolved(root / "tests", "..", cwd=root / "tests")


def test_from_outside_of_the_project_paths_are_those_of_its_root(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`seatrial -C project test tests/`, where another project has that folder, too."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "tests").mkdir()

    assert resolved(root, "tests/", cwd=elsewhere).argv[-3:] == ("tests/", "--cov", "-v")


def test_what_is_not_there_is_left_to_pytest(root: Path) -> None:
    """A package for --pyargs, or a typing slip that pytest names."""
    assert "no.such.package" in resolved(root, "--pyargs", "no.such.package").argv


def test_junit_is_the_hosts(root: Path) -> None:
    """The file is made here."""
    invocation = resolved(root, "--junitxml=out/j.xml", cwd=root / "tests")

    assert invocation.junit == root / "tests" / "out" / "j.xml"
    assert invocation.argv == COMMAND


def test_files_come_home(root: Path) -> None:
    """Written into the directory that comes home, then put where the user wants them."""
    invocation = resolved(
        root, "--cov-report=term", "--cov-report=xml", "--cov-report", "html:site", "--log-file=l.txt"
    )

    assert invocation.argv[len(COMMAND) :] == (
        "--cov-report=term",
        "--cov-report=xml:@SEATRIAL_HOME@/coverage/coverage.xml",
        "--cov-report=html:@SEATRIAL_HOME@/coverage/htmlcov",
        "--log-file=@SEATRIAL_HOME@/files/log-file-l.txt",
    )
    assert invocation.files == (
        ("coverage/coverage.xml", root / "coverage.xml"),
        ("coverage/htmlcov", root / "site"),
        ("files/log-file-l.txt", root / "l.txt"),
    )


def test_host_arguments(root: Path) -> None:
    """Reporting plugins of the host are named."""
    invocation = resolved(root, "--on-host=-p", "--on-host", "my_reporter", "--color=yes")

    assert invocation.host_args == ("-p", "my_reporter")
    assert invocation.colour == "yes"
    assert invocation.argv == (*COMMAND, "--color=yes")


@pytest.mark.parametrize("option", ["--looponfail", "-f", "--pastebin=all", "--rsyncdir"])
def test_refused(root: Path, option: str) -> None:
    """With the reason."""
    with pytest.raises(UsageError) as caught:
        resolved(root, option)

    assert caught.value.why


def test_debuggers_need_a_terminal(root: Path) -> None:
    """Without one, pytest would wait for nobody."""
    with pytest.raises(UsageError, match="needs a terminal"):
        resolved(root, "--pdb")

    assert resolved(root, "--pdb", terminal=True).debugger


@pytest.mark.parametrize("option", ["--help", "-h", "--fixtures", "--markers", "-VV", "--cache-show"])
def test_informational(root: Path, option: str) -> None:
    """No tests run, so none have to be proven."""
    assert resolved(root, option).informational


def test_short_options_are_taken_apart(root: Path) -> None:
    """`-xvsk name -n4`."""
    argv = resolved(root, "-xvsk", "name", "-n4", "-rA").argv

    assert argv[len(COMMAND) :] == ("-x", "-v", "-s", "-k", "name", "-n", "4", "-r", "A")


def test_beginnings_of_long_options(root: Path) -> None:
    """As argparse takes them: --collect-o is --collect-only."""
    assert by_name("--fixtures-p") is by_name("--fixtures-per-test")
    assert by_name("--fix") is None
    with pytest.raises(UsageError, match="--looponf cannot be used"):
        resolved(root, "--looponf")


def test_options_of_plugins(root: Path) -> None:
    """Nobody here knows whether they take a value; what is a path is none."""
    assert resolved(root, "--flavour", "sweet", "tests").argv == (
        "uv", "run", "pytest", "tests", "--cov", "-v", "--flavour", "sweet",
    )  # fmt: skip
    assert resolved(root, "--fast", "tests/test_a.py").argv[3] == "tests/test_a.py"


def test_after_two_dashes(root: Path) -> None:
    """Everything is a path."""
    assert resolved(root, "--", "-odd-name").argv[3] == "-odd-name"


def test_a_command_without_pytest(root: Path) -> None:
    """`make test` gets the user's arguments behind it."""
    assert resolve(["make", "test"], ["-x"], root=root).argv == ("make", "test", "-x")


def test_python_m_pytest(root: Path) -> None:
    """The usual other way."""
    argv = resolve(["python", "-m", "pytest", "tests"], ["tests/test_a.py"], root=root).argv

    assert argv == ("python", "-m", "pytest", "tests/test_a.py")
