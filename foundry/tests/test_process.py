"""Test running of programs: output, failures, timeouts and interruption."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundry import process
from foundry.errors import CommandFailedError, FoundryError


def test_run_returns_stdout_and_logs_everything(tmp_path):
    log = tmp_path / "log"

    out = process.run(["sh", "-c", "echo out; echo err >&2"], log=log)

    assert out == "out\n"
    assert sorted(log.read_text().splitlines()) == ["$ sh -c 'echo out; echo err >&2'", "err", "out"]


def test_run_writes_log_while_running(tmp_path):
    log = tmp_path / "log"
    code = "import sys, pathlib, foundry.process as p; p.run(sys.argv[2:], log=pathlib.Path(sys.argv[1]))"
    running = subprocess.Popen([sys.executable, "-c", code, log, "sh", "-c", "echo early; sleep 30"])
    end = time.monotonic() + 20
    try:
        while "early\n" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
            time.sleep(0.02)

        assert "early\n" in log.read_text()
    finally:
        running.terminate()
        running.wait()


def test_run_failure_has_exit_code_and_tail(tmp_path):
    with pytest.raises(CommandFailedError) as failed:
        process.run(["sh", "-c", "seq 100 >&2; exit 7"], log=tmp_path / "log")

    assert failed.value.status == 7
    assert failed.value.tail.splitlines()[-1] == "100"
    assert len(failed.value.tail.splitlines()) == process.TAIL_LINES


def test_run_failure_without_log_has_stderr_as_reason():
    with pytest.raises(CommandFailedError) as failed:
        process.run(["sh", "-c", "echo out; echo reason >&2; exit 1"])

    assert failed.value.tail == "reason"


def test_run_missing_program_is_named():
    with pytest.raises(FoundryError, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_run_stdin_larger_than_pipe_is_passed():
    assert len(process.run(["cat"], stdin=b"x" * 1_000_000)) == 1_000_000


def test_run_timeout_kills_program_and_children():
    began = time.monotonic()

    with pytest.raises(FoundryError, match="timed out after"):
        process.run(["sh", "-c", "sleep 60 & wait"], timeout=0.2)

    assert time.monotonic() - began < 10


def test_run_keep_waiting_applies_until_first_output():
    asked: list[float] = []

    def keep_waiting(waited: float) -> bool:
        asked.append(waited)
        return waited < 0.3

    assert process.run(["sh", "-c", "echo one; sleep 0.5; echo two"], keep_waiting=keep_waiting) == "one\ntwo\n"
    assert asked == []

    with pytest.raises(FoundryError, match="no answer within"):
        process.run(["sleep", "60"], keep_waiting=keep_waiting)
    assert asked[-1] >= 0.3


def test_run_watch_gets_lines_while_running():
    lines: list[str] = []

    process.run(["printf", "one\ntwo\nrest"], watch=lines.append)

    assert lines == ["one", "two"]


def test_stop_all_kills_running_and_refuses_new_programs(tmp_path):
    """Runs in a separate process, because `stop_all` is final."""
    mark = tmp_path / "alive"
    code = f"""
import threading, time
from foundry import process
from foundry.errors import FoundryError
failed = []
def work():
    try:
        process.run(["sh", "-c", "sleep 2; touch {mark}"])
    except FoundryError as error:
        failed.append(error)
thread = threading.Thread(target=work)
thread.start()
time.sleep(0.5)
process.stop_all()
thread.join()
try:
    process.run(["true"])
except FoundryError as error:
    failed.append(error)
time.sleep(2)
print(len(failed))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "2"
    assert not Path(mark).exists()
