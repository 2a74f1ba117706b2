from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.model.errors import UsageError
from seatrial.pod.agent.wire import COLLECTED_MARK, GLOB_MARK
from seatrial.runner.options import Invocation, ReportFile, report_options, split_command_line
from seatrial.runner.options.table import by_name

COMMAND = ("uv", "run", "pytest", "tests/", "packages/*/tests/", "--cov", "-v")
MARKED = ("uv", "run", "pytest", "tests/", f"{GLOB_MARK}packages/*/tests/", "--cov", "-v")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "tests" / "test_a.py").touch()
    return tmp_path


def resolved(root: Path, *args: str, **more: object) -> Invocation:
    return split_command_line(COMMAND, args, root=root, **more)  # type: ignore[arg-type]


def test_command_without_arguments_has_its_paths_first(root: Path) -> None:
    """Paths come first: behind `--cov` they would be its value."""
    assert resolved(root).argv == MARKED


def test_options_of_the_user_are_appended(root: Path) -> None:
    assert resolved(root, "-k", "s3 and not sts", "-x").argv == (*MARKED, "-k", "s3 and not sts", "-x")


def test_paths_of_the_user_replace_those_of_the_command(root: Path) -> None:
    argv = resolved(root, "tests/test_a.py::test_x[a::b]", "--lf").argv

    assert argv == ("uv", "run", "pytest", "tests/test_a.py::test_x[a::b]", "--cov", "-v", "--lf")


def test_paths_become_relative_to_the_project(root: Path) -> None:
    """From wherever the user stands, and for options that take paths too."""
    argv = resolved(root, "test_a.py", "--ignore", "deep", "--deselect=test_a.py::x", "-c../tests/test_a.py",
                    cwd=root / "tests").argv  # fmt: skip

    assert argv == ("uv", "run", "pytest", "tests/test_a.py", "--cov", "-v", "--ignore", "tests/deep",
                    "--deselect=tests/test_a.py::x", "-c", "tests/test_a.py")  # fmt: skip


def test_path_outside_of_the_project_is_an_error(root: Path) -> None:
    with pytest.raises(UsageError, match="outside of the project"):
        resolved(root / "tests", "..", cwd=root / "tests")


def test_paths_are_relative_to_the_project_outside_of_it(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`seatrial -C project test tests/`, where another project has that folder, too."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "tests").mkdir()

    assert resolved(root, "tests/", cwd=elsewhere).argv[-3:] == ("tests/", "--cov", "-v")


def test_missing_path_is_passed_to_pytest(root: Path) -> None:
    """A package for --pyargs, or a typing slip that pytest names."""
    assert "no.such.package" in resolved(root, "--pyargs", "no.such.package").argv


def test_junit_file_is_written_on_the_host(root: Path) -> None:
    invocation = resolved(root, "--junitxml=out/j.xml", cwd=root / "tests")

    assert invocation.junit == root / "tests" / "out" / "j.xml"
    assert invocation.argv == MARKED


def test_report_files_are_written_where_they_are_collected_from(root: Path) -> None:
    """Then they are put where the user wants them."""
    invocation = resolved(
        root, "--cov-report=term", "--cov-report=xml", "--cov-report", "html:site", "--log-file=l.txt", "--html",
        "out/../r.html", "--json-report", "--alluredir=.", "--debug",
    )  # fmt: skip

    assert invocation.argv[len(COMMAND) :] == (
        "--cov-report=term",
        f"--cov-report=xml:{COLLECTED_MARK}/coverage/coverage.xml",
        f"--cov-report=html:{COLLECTED_MARK}/coverage/htmlcov",
        f"--log-file={COLLECTED_MARK}/files/log-file/l.txt",
        f"--html={COLLECTED_MARK}/files/html/r.html",
        "--json-report",
        f"--alluredir={COLLECTED_MARK}/files/alluredir/report",
        f"--debug={COLLECTED_MARK}/files/debug/pytestdebug.log",
    )
    assert invocation.files == (
        ReportFile("coverage/coverage.xml", root / "coverage.xml"),
        ReportFile("coverage/htmlcov", root / "site"),
        ReportFile("files/log-file/l.txt", root / "l.txt"),
        ReportFile("files/html/r.html", root / "r.html", companion="assets"),
        ReportFile("files/json-report-file/.report.json", root / ".report.json", needed=False),
        ReportFile("files/alluredir/report", root),
        ReportFile("files/debug/pytestdebug.log", root / "pytestdebug.log"),
    )


def test_report_file_of_the_command_is_relative_to_the_project_and_absolute_in_the_image(root: Path) -> None:
    """The configuration is shared by machines; who types a path means this one."""
    command = ("pytest", "--html=r/a.html", "--report-log=/out/log.jsonl", "--junitxml=j.xml")
    invocation = split_command_line(command, ("--log-file=/tmp/l.txt",), root=root, cwd=root / "tests")

    assert [each.target for each in invocation.files] == [root / "r/a.html", None, Path("/tmp/l.txt")]
    assert invocation.junit == root / "j.xml"


def test_report_option_without_its_value_is_left_to_pytest(root: Path) -> None:
    invocation = resolved(root, "--html")

    assert (invocation.argv[-1], invocation.files) == ("--html", ())


def test_report_options_of_the_configuration_are_report_files(root: Path) -> None:
    invocation = resolved(root, "--mine", "a/b.txt", "--other=x", reports=["--mine"])

    assert invocation.argv[len(COMMAND) :] == (f"--mine={COLLECTED_MARK}/files/mine/b.txt", "--other=x")
    assert invocation.files == (ReportFile("files/mine/b.txt", root / "a/b.txt"),)
    assert {"--mine", "--html", "--junit-xml"} < set(report_options(["--mine"]))


def test_on_host_arguments_go_to_the_host(root: Path) -> None:
    invocation = resolved(root, "--on-host=-p", "--on-host", "my_reporter", "--color=yes")

    assert invocation.host_args == ("-p", "my_reporter")
    assert invocation.color == "yes"
    assert invocation.argv == (*MARKED, "--color=yes")


@pytest.mark.parametrize("option", ["--looponfail", "-f", "--pastebin=all", "--rsyncdir"])
def test_refused_option_is_an_error_with_a_reason(root: Path, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved(root, option)

    assert caught.value.reason


def test_debugger_needs_a_terminal(root: Path) -> None:
    with pytest.raises(UsageError, match="needs a terminal"):
        resolved(root, "--pdb")

    assert resolved(root, "--pdb", terminal=True).debugger


@pytest.mark.parametrize("option", ["--help", "-h", "--fixtures", "--markers", "-VV", "--cache-show"])
def test_information_options_run_no_tests(root: Path, option: str) -> None:
    assert resolved(root, option).informational


def test_short_options_are_split(root: Path) -> None:
    """`-xvsk name -n4`."""
    argv = resolved(root, "-xvsk", "name", "-n4", "-rA").argv

    assert argv[len(COMMAND) :] == ("-x", "-v", "-s", "-k", "name", "-n", "4", "-r", "A")


def test_abbreviated_option_is_unknown(root: Path) -> None:
    """pytest takes none, and a plugin may have an option of that name: `--test` is not `--testrunuid`."""
    assert by_name("--fixtures-p") is None
    assert resolved(root, "--test", "tests/test_a.py").unsure


@pytest.mark.parametrize("words", [("--word", "tests"), ("--word", "tests", "x_*"), ("-Z", "tests/test_a.py::test_x")])
def test_word_after_an_unknown_option_stays_in_place(root: Path, words: tuple[str, ...]) -> None:
    """Only pytest in the pod knows whether it is a value; the paths of the command stay, too."""
    invocation = resolved(root, *words, "-x")

    assert invocation.argv == (*MARKED, *words, "-x")
    unsure = [(each.word, each.path, each.user) for each in invocation.unsure]
    assert unsure == [(word, word, True) for word in words[1:]]
    assert [invocation.argv[-each.behind] for each in invocation.unsure] == list(words[1:])


def test_word_after_an_unknown_option_with_a_value_is_a_path(root: Path) -> None:
    invocation = resolved(root, "--word=x", "tests/test_a.py")

    assert (invocation.argv[3], invocation.unsure, invocation.paths_given) == ("tests/test_a.py", (), True)


def test_unsure_word_is_sent_as_typed_with_the_path_that_it_may_be(root: Path) -> None:
    """A value has to arrive as it is; a path, relative to the project."""
    inside = resolved(root, "--word", "test_a.py", cwd=root / "tests").unsure
    outside = resolved(root / "tests" / "deep", "--word", "..", cwd=root / "tests" / "deep").unsure

    assert [(each.word, each.path) for each in (*inside, *outside)] == [("test_a.py", "tests/test_a.py"), ("..", "..")]


@pytest.mark.parametrize(
    "option",
    [("--ignore-glob", "tests/test_slow_*"), ("-k", "*"), ("-m", "*"), ("--deselect", "tests/*"), ("-o", "addopts=*"),
     ("--cov", "src*"), ("-p", "x*"), ("--word", "x_*"), ("--word=x_*",), ("-Zx_*",), ("-Z", "x_*")],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("configured", [False, True], ids=["typed", "configured"])
def test_value_of_an_option_is_not_expanded(root: Path, option: tuple[str, ...], configured: bool) -> None:
    command = ("pytest", *option) if configured else ("pytest",)
    argv = split_command_line(command, () if configured else option, root=root).argv

    assert "".join(argv) == "".join(("pytest", *option))


def test_paths_of_the_command_are_expanded_but_not_those_typed(root: Path) -> None:
    """The user's own shell expands what they type."""
    assert split_command_line(["pytest", "a/*/b"], root=root).argv == ("pytest", f"{GLOB_MARK}a/*/b")
    assert split_command_line(["pytest", "a/*/b"], ["c/*"], root=root).argv == ("pytest", "c/*")
    assert split_command_line(["pytest", "a.py::test[*]"], root=root).argv == ("pytest", "a.py::test[*]")


def test_command_without_pytest_is_expanded_except_after_an_option(root: Path) -> None:
    command = ("sh", "-c", "ls *; ./test", "packages/*/tests")

    assert split_command_line(command, root=root).argv == (*command[:3], f"{GLOB_MARK}packages/*/tests")


def test_words_after_two_dashes_are_paths(root: Path) -> None:
    """Everything is a path, and stays one in front of the options."""
    assert resolved(root, "--", "-odd-name", "a").argv[3:5] == ("./-odd-name", "a")


def test_arguments_are_appended_to_a_command_without_pytest(root: Path) -> None:
    """`make test` gets the user's arguments behind it."""
    assert split_command_line(["make", "test"], ["-x"], root=root).argv == ("make", "test", "-x")


def test_python_m_pytest_is_recognized(root: Path) -> None:
    argv = split_command_line(["python", "-m", "pytest", "tests"], ["tests/test_a.py"], root=root).argv

    assert argv == ("python", "-m", "pytest", "tests/test_a.py")
