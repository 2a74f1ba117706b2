from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from benchmarks.commands import Failed, Line, Shell, following, until


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, os.environ)


def test_run_lines_have_timestamps(shell: Shell) -> None:
    done = shell.run("sh", "-c", "echo one; sleep 0.3; echo two; echo three >&2")
    first, second = done.out

    assert (first.text, second.text, done.said) == ("one", "two", "three")
    assert second.at - first.at >= 0.25
    assert done.began <= first.at <= done.ended
    assert done.seconds == pytest.approx(done.ended - done.began, abs=0.05)


def test_run_unexpected_exit_code_is_an_error(shell: Shell) -> None:
    with pytest.raises(Failed, match=r"(?s)exited with 3, expected: exit code 0.*\n  gone wrong"):
        shell.run("sh", "-c", "echo gone wrong; exit 3")
    assert shell.run("sh", "-c", "exit 3", codes=(3,)).code == 3
    assert shell.run("sh", "-c", "exit 4", codes=()).code == 4


def test_run_timeout_stops_program(shell: Shell) -> None:
    began = time.monotonic()
    with pytest.raises(Failed):
        shell.run("sleep", "30", seconds=0.2)
    assert time.monotonic() - began < 10


def test_following_yields_lines_while_running(shell: Shell) -> None:
    began = time.time()
    with following(shell, "sh", "-c", "echo early; sleep 0.2; echo wanted; exec sleep 30") as lines:
        found = until(lines, ("wanted",), since=began)
    assert found.text == "wanted"
    assert time.time() - began < 10


def test_until_ignores_earlier_lines() -> None:
    lines = [Line(1.0, "wanted"), Line(2.0, "wanted too")]

    assert until(lines, ("wanted",), since=1.5).text == "wanted too"
    with pytest.raises(TimeoutError):
        until(lines, ("wanted",), since=3.0, seconds=0.0)
