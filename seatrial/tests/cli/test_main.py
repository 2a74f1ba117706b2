from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from seatrial.cli import main as main_module
from seatrial.interruption import Terminated
from seatrial.model.errors import (
    CommandFailed,
    EnvironmentFailed,
    ExitCode,
    Inconclusive,
    OutOfTime,
    SeatrialError,
    UsageError,
)

from seatrial import __version__


def test_help_imports_no_heavy_modules():
    """That is what makes it quick: 0.1 s and a half of it Python's own."""
    heavy = {"msgspec", "rich", "yaml", "pytest", "httpx2", "lightkube", "watchfiles", "asyncio", "tomllib"}
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from seatrial.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(*sorted(set(sys.modules)), file=sys.stderr)\n"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr.split()
    )
    assert "seatrial.cli.main" in loaded
    assert loaded & heavy == set()


def test_version_option_prints_the_version(seatrial):
    assert seatrial("--version").out == f"seatrial {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?", "seatrial --help"),
        (["config", "lnit"], "No such command 'lnit'. Did you mean 'lint'?", "seatrial config --help"),
        (
            ["config", "lint", "--strcit"],
            "No such option '--strcit'. (Did you mean one of: '--set', '--strict'?)",
            "seatrial config lint --help",
        ),
        (
            ["report", "--fromat"],
            "No such option '--fromat'. Did you mean '--format'?",
            "seatrial report --help",
        ),
        (["--color", "pink", "run"], "Invalid value for '--color': 'pink' is not one of", "seatrial --help"),
    ],
)
def test_invalid_command_line_exits_4_with_a_suggestion(seatrial, argv, message, hint):
    said = seatrial(*argv)

    assert said.code == ExitCode.USAGE
    assert said.out == ""
    assert message.rstrip(".") in said.err
    assert f"  hint: {hint}" in said.err


def raising(monkeypatch, error: BaseException) -> None:
    """Let `seatrial doctor` raise an error."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(main_module._Commands, "get_command", lambda *_: command)


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (UsageError("wrong"), 4, ["seatrial: wrong"]),
        (EnvironmentFailed("broken", reason="because", hint="that", log="/x.log"), 10,
         ["seatrial: broken", "  reason: because", "  hint: that", "  log: /x.log"]),
        (CommandFailed(["kind", "create"], 1, "line\nERROR: no\n"), 10,
         ["seatrial: kind create failed with exit code 1", "  reason: ERROR: no"]),
        (CommandFailed(["docker", "run"], 125, "docker: in use.\n\nRun 'docker run --help' for more information\n"),
         10, ["seatrial: docker run failed with exit code 125", "  reason: docker: in use."]),
        (CommandFailed(["true"], 1, ""), 10, ["seatrial: true failed with exit code 1"]),
        (OutOfTime("late"), 11, ["seatrial: late"]),
        (Inconclusive("no proof"), 12, ["seatrial: no proof"]),
        (SeatrialError("odd"), 10, ["seatrial: odd"]),
    ],
)  # fmt: skip
def test_error_prints_message_reason_hint_and_log(seatrial, monkeypatch, error, code, lines):
    raising(monkeypatch, error)
    said = seatrial("doctor")

    assert said.code == code
    assert said.out == ""
    assert said.err.splitlines() == lines


def test_shown_error_is_not_printed_again(seatrial, monkeypatch):
    error = OutOfTime("late", reason="slow")
    error.shown = True
    raising(monkeypatch, error)
    said = seatrial("doctor")

    assert (said.code, said.out, said.err) == (11, "", "")


def test_unexpected_error_writes_a_report(seatrial, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    raising(monkeypatch, ZeroDivisionError("division by zero"))
    said = seatrial("doctor")

    assert said.code == ExitCode.ENVIRONMENT
    what, reason, hint, log = said.err.splitlines()
    assert what == "seatrial: internal error: ZeroDivisionError: division by zero"
    assert (reason, hint) == ("  reason: this is a bug of seatrial", "  hint: open an issue with the report")
    report = Path(log.removeprefix("  log: ")).read_text()
    assert "- command: `seatrial doctor`" in report
    assert f"# seatrial {__version__}: ZeroDivisionError" in report
    assert "Traceback (most recent call last)" in report


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_interruption_has_its_exit_code(seatrial, monkeypatch, error, code):
    raising(monkeypatch, error)

    assert seatrial("doctor").code == code


def test_sigterm_unwinds_the_command(tmp_path):
    """SIGTERM becomes an exception: what was made is undone before the process ends with 143."""
    code = (
        "import os, signal, click\n"
        "from seatrial.cli import main\n"
        "@click.command()\n"
        "def command():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGTERM); signal.pause()\n"
        "    finally:\n        print('undone')\n"
        "main._Commands.get_command = lambda *_: command\n"
        "import sys; sys.argv[1:] = ['doctor']\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout == "undone\n"
    assert "Traceback" not in done.stderr


def test_closed_pipe_exits_141_silently(tmp_path):
    """`seatrial config schema | head -1` neither complains nor pretends that all went well."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "seatrial", "config", "schema"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)

    assert done.returncode == 141
    assert done.stderr == b""
