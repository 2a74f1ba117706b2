"""Standard streams that are closed, full or broken, and arguments that are not text: real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
[[release]]
name = "shop"
chart = "chart"
[runner]
image = "busybox:1"
"""


@pytest.fixture
def project(tmp_path):
    """A project, an engine that answers nothing, and a state directory of the test's own."""
    root = tmp_path / "project"
    (root / "chart").mkdir(parents=True)
    (root / "chart" / "Chart.yaml").write_text("name: shop\n")
    (root / "seatrial.toml").write_text(CONFIG)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\necho 'no engine here' >&2\nexit 1\n")
    docker.chmod(0o755)
    return root


def seatrial(project: Path, command: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which $SEATRIAL is the program."""
    env = {
        "PATH": f"{project.parent / 'bin'}:{os.environ['PATH']}",
        "HOME": str(project.parent),
        "XDG_STATE_HOME": str(project.parent / "state"),
        "SEATRIAL": f"{sys.executable} -m seatrial",
        "TMPDIR": str(project.parent),
        **more,
    }
    return subprocess.run(["bash", "-c", command], cwd=project, env=env, capture_output=True, check=False, timeout=60)


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize(
    ("words", "code"),
    [("list", 0), ("config show", 0), ("rnu", 4), ("test", 4), ("-q run --json", 4), ("watch", 4)],
)
def test_closed_streams_do_not_change_the_exit_code(project, words, code, closed):
    if words == "watch":
        # Nothing to wait for: the configuration is wrong.
        (project / "seatrial.toml").write_text("[runner]\nimge = 'x'\n")
    done = seatrial(project, f"$SEATRIAL {words} {closed}")

    assert (done.returncode, b"internal error" in done.stderr) == (code, False), done.stderr
    assert list(project.parent.glob("seatrial-crash-*")) == []


def test_files_and_programs_do_not_get_the_descriptors_of_closed_streams(project):
    docker = project.parent / "bin" / "docker"
    docker.write_text("#!/bin/sh\nls -l /proc/$PPID/fd >> $HOME/descriptors\nexit 1\n")
    seatrial(project, "$SEATRIAL run <&- >&- 2>&-")
    listed = (project.parent / "descriptors").read_text().splitlines()
    streams = [line.partition(" -> ")[2] for line in listed if line.rpartition(" -> ")[0].endswith((" 0", " 1", " 2"))]

    assert set(streams) == {"/dev/null"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("$SEATRIAL list 2>/dev/full", 0),
        ("$SEATRIAL rnu 2>/dev/full", 4),
        ("$SEATRIAL run 2>/dev/full", 4),
        ("$SEATRIAL run >/dev/full 2>&1", 4),
        ("$SEATRIAL test >/dev/full 2>/dev/full", 4),
    ],
)
def test_messages_that_cannot_be_written_do_not_change_the_exit_code(project, command, code):
    assert seatrial(project, command).returncode == code


@pytest.mark.parametrize("words", ["list --json", "config schema", "--version", "--help"])
def test_unwritable_result_is_not_a_success(project, words):
    done = seatrial(project, f"$SEATRIAL {words} >/dev/full")

    assert done.returncode == 10
    assert done.stderr == b"seatrial: stdout could not be written: No space left on device\n"


def test_disconnected_reader_of_messages_does_not_change_the_result(project):
    done = seatrial(project, "$SEATRIAL run 2> >(true); code=$?; wait; exit $code")

    assert done.returncode == 4


@pytest.mark.parametrize(
    "words", ["test -k $'\\xff'", "-C $'caf\\xe9' list", "run $'tests/\\xff.py'", "--set $'a=\\xfe' list"]
)
def test_argument_that_is_not_utf_8_is_refused(project, words):
    done = seatrial(project, f"$SEATRIAL {words}", LC_ALL="C.UTF-8")

    assert done.returncode == 4, done.stderr
    assert b"is not valid UTF-8" in done.stderr
    assert not (project / ".seatrial").exists()


@pytest.mark.parametrize("words", ["list", "config show", "run", "test"])
def test_project_path_that_is_not_utf_8_is_refused(project, words):
    odd = os.fsencode(project.parent) + b"/caf\xe9"
    project.rename(os.fsdecode(odd))
    done = seatrial(project.parent, f"cd $'caf\\xe9' && $SEATRIAL {words}", LC_ALL="C.UTF-8")
    works = words == "list"

    assert done.returncode == (0 if works else 4), done.stderr
    assert works or b"is not valid UTF-8" in done.stderr


def test_characters_that_the_locale_lacks_are_escaped(project):
    done = seatrial(project, "$SEATRIAL --set runner.workdir=…\u20ac config show", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert rb"\u2026\u20ac" in done.stdout


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("mkdir -p .seatrial/runs/latest", "latest is a directory"),
        ("touch .seatrial", "cannot write below"),
        ("mkdir .seatrial && touch .seatrial/runs", "cannot write below"),
        ("mkdir .seatrial && ln -s /nowhere/at/all .seatrial/runs", "cannot write below"),
    ],
)
def test_uncreatable_run_directory_leaves_no_environment(project, prepare, message):
    done = seatrial(project, f"{prepare}; $SEATRIAL run")

    assert done.returncode == 4, done.stderr
    assert message in done.stderr.decode().splitlines()[0]
    assert [path.name for path in project.glob(".seatrial/runs/*")] in ([], ["latest"])
    listed = seatrial(project, "$SEATRIAL list --json")
    assert json.loads(listed.stdout) == [], "no environment is left"


def test_unwritable_ledger_is_an_error_with_its_path(project):
    state = project.parent / "state"
    state.write_text("a file where a directory should be")
    done = seatrial(project, "$SEATRIAL run")

    assert done.returncode in (4, 10)
    assert b"internal error" not in done.stderr
    assert str(state).encode() in done.stderr


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_unbuffered_streams_write_text_immediately(name):
    code = (
        "import os, sys; from seatrial.app.standard_streams import protect; protect();"
        f"sys.{name}.write('shown'); os._exit(0)  # nothing flushes at the end"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, env={**os.environ, "PYTHONUNBUFFERED": "1"}, capture_output=True, check=True)

    assert getattr(done, name) == b"shown"
