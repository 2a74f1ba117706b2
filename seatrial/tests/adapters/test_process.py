"""Programs: output, failures, deadlines that reach grandchildren, stopping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from seatrial.adapters.process import LocalProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime


@pytest.fixture
def processes():
    return LocalProcesses()


def soon(seconds=10.0):
    return Deadline.after(seconds)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def gone(pid):
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


def test_run_returns_stdout_and_stderr(processes):
    done = processes.run(["sh", "-c", "echo out; echo err >&2"], deadline=soon())

    assert (done.code, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert done.argv == ("sh", "-c", "echo out; echo err >&2")


def test_run_passes_stdin_environment_and_directory(processes, tmp_path):
    done = processes.run(
        ["sh", "-c", 'cat; echo "$WHO"; pwd'], deadline=soon(), stdin=b"in\n", env={"WHO": "me"}, cwd=tmp_path
    )

    assert done.stdout.decode().splitlines() == ["in", "me", str(tmp_path)]


def test_run_accepts_a_program_that_does_not_read_stdin(processes):
    assert processes.run(["true"], deadline=soon(), stdin=b"x" * 1_000_000).code == 0


def test_run_passes_lines_on_and_writes_the_log(processes, tmp_path):
    lines = []
    log = tmp_path / "logs" / "it.log"
    processes.run(["sh", "-c", "echo one; echo two"], deadline=soon(), log=log, line=lines.append)
    processes.run(["echo", "three"], deadline=soon(), log=log)

    assert lines == ["one", "two"]
    assert log.read_text() == "$ sh -c 'echo one; echo two'\none\ntwo\n$ echo three\nthree\n"


def test_failed_program_has_command_and_last_lines(processes, tmp_path):
    log = tmp_path / "it.log"
    with pytest.raises(CommandFailed) as caught:
        processes.run(["sh", "-c", "seq 100; echo broken >&2; exit 3"], deadline=soon(), log=log)

    error = caught.value
    assert (error.code, error.reason, error.log) == (3, "broken", str(log))
    assert error.tail.splitlines()[0] == "62"
    assert "sh -c" in error.message


def test_run_without_check_returns_the_exit_code(processes):
    assert processes.run(["false"], deadline=soon(), check=False).code == 1


def test_missing_program_has_an_install_hint(processes):
    with pytest.raises(CommandFailed) as caught:
        processes.run(["no-such-program"], deadline=soon())
    assert caught.value.hint == "install no-such-program"


def test_deadline_kills_the_process_group(processes, tmp_path):
    started = time.monotonic()
    with pytest.raises(OutOfTime) as caught:
        processes.run(["sh", "-c", "echo working; sleep 60 & echo $! > child; wait"], deadline=soon(0.5), cwd=tmp_path)

    assert caught.value.reason == "working"
    assert time.monotonic() - started < 5
    assert gone(int((tmp_path / "child").read_text()))


def test_deadline_kills_a_program_that_ignores_sigterm(processes, tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.adapters.process._GRACE", 0.2)
    with pytest.raises(OutOfTime):
        processes.run(
            ["sh", "-c", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"], deadline=soon(0.5), cwd=tmp_path
        )

    assert gone(int((tmp_path / "pid").read_text()))


def test_run_does_not_wait_for_a_daemon_that_keeps_the_output_open(processes):
    started = time.monotonic()
    done = processes.run(["sh", "-c", "echo up; sleep 30 &"], deadline=soon())

    assert done.stdout == b"up\n"
    assert time.monotonic() - started < 10


def test_ctrl_c_kills_the_process_group(processes, tmp_path):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        processes.run(["sh", "-c", "echo $$ > pid; sleep 60"], deadline=soon(20), cwd=tmp_path)

    assert gone(int((tmp_path / "pid").read_text()))


def test_stop_terminates_programs_until_resume(processes):
    threading.Timer(0.3, processes.stop).start()
    with pytest.raises(CommandFailed) as caught:
        processes.run(["sleep", "60"], deadline=soon(20))

    assert caught.value.code == -signal.SIGTERM
    with pytest.raises(CommandFailed):
        processes.run(["true"], deadline=soon())
    processes.resume()
    assert processes.run(["true"], deadline=soon()).code == 0


def test_find_returns_the_path_or_none(processes):
    assert processes.find("sh").endswith("/sh")
    assert processes.find("no-such-program") is None


def test_quick_commands_are_quick(processes):
    """`Popen.wait(timeout)` would sleep up to 50 ms after each."""
    started = time.monotonic()
    for _ in range(20):
        processes.run(["true"], deadline=soon())

    assert time.monotonic() - started < 2


def test_cleanup_runs_after_stop():
    it = LocalProcesses()
    it.stop()
    with pytest.raises(CommandFailed, match="true"):
        it.run(["true"], deadline=Deadline.after(5))

    assert it.run(["echo", "cleaned"], deadline=Deadline.after(5), cleanup=True).stdout == b"cleaned\n"


def test_end_orphans_terminates_a_program_with_its_children(tmp_path):
    mark = str(tmp_path / "kubeconfig")
    program = tmp_path / "kind"
    program.write_text(
        f"#!{sys.executable}\nimport subprocess, time\nsubprocess.Popen(['sleep', '61'])\ntime.sleep(60)\n"
    )
    program.chmod(0o755)
    with subprocess.Popen([program, "create", mark], start_new_session=True) as orphan:
        until = time.monotonic() + 60
        while not _children(orphan.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not LocalProcesses().end_orphans("kind", mark + "-of-another")
        assert not LocalProcesses().end_orphans("helm", mark)
        assert orphan.poll() is None
        assert LocalProcesses().end_orphans("kind", mark)
        assert orphan.wait(30) in (-signal.SIGTERM, -signal.SIGKILL)
        until = time.monotonic() + 20
        while (left := _children(orphan.pid)) and time.monotonic() < until:
            time.sleep(0.05)
        assert left == []


def _children(group):
    """Return the living processes of a group but for its leader."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group != int(entry.name):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(entry.name)] if state != "Z" else []
        except OSError:
            continue
    return found
