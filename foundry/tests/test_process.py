"""Programs that foundry runs: their output, their failures, and their end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundry import process
from foundry.errors import CommandFailedError, FoundryError


def test_standard_output_comes_back_and_all_of_it_goes_into_the_log(tmp_path):
    log = tmp_path / "log"

    out = process.run(["sh", "-c", "echo out; echo err >&2"], log=log)

    assert out == "out\n"
    assert sorted(log.read_text().splitlines()) == ["$ sh -c 'echo out; echo err >&2'", "err", "out"]


def test_the_log_grows_while_the_program_runs(tmp_path):
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


def test_a_failure_carries_status_and_last_lines(tmp_path):
    with pytest.raises(CommandFailedError) as failed:
        process.run(["sh", "-c", "seq 100 >&2; exit 7"], log=tmp_path / "log")

    assert failed.value.status == 7
    assert failed.value.tail.splitlines()[-1] == "100"
    assert len(failed.value.tail.splitlines()) == process.TAIL_LINES


def test_without_a_log_the_reason_is_what_was_said_on_standard_error():
    with pytest.raises(CommandFailedError) as failed:
        process.run(["sh", "-c", "echo out; echo reason >&2; exit 1"])

    assert failed.value.tail == "reason"


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(FoundryError, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_input_is_given_and_more_of_it_than_a_pipe_holds():
    assert len(process.run(["cat"], stdin=b"x" * 1_000_000)) == 1_000_000


def test_a_program_over_its_time_is_ended_with_its_children():
    began = time.monotonic()

    with pytest.raises(FoundryError, match="did not end"):
        process.run(["sh", "-c", "sleep 60 & wait"], timeout=0.2)

    assert time.monotonic() - began < 10


def test_patience_is_for_the_first_word_only():
    asked: list[float] = []

    def patience(waited: float) -> bool:
        asked.append(waited)
        return waited < 0.3

    assert process.run(["sh", "-c", "echo one; sleep 0.5; echo two"], patience=patience) == "one\ntwo\n"
    assert asked == []

    with pytest.raises(FoundryError, match="no answer within"):
        process.run(["sleep", "60"], patience=patience)
    assert asked[-1] >= 0.3


def test_lines_are_handed_out_while_the_program_runs():
    lines: list[str] = []

    process.run(["printf", "one\ntwo\nrest"], watch=lines.append)

    assert lines == ["one", "two"]


def test_stopping_ends_what_runs_and_starts_nothing_new(tmp_path):
    """In a process of its own, as it stops foundry for good."""
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
