"""Files in the state directory that containers share."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.pod.agent.state_files import Lock, read_json, run_path, state, write_json
from seatrial.pod.agent.wire import STATE_VARIABLE


def test_paths_are_below_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, "/somewhere")

    assert (state("a", "b"), run_path("r", "exit.json")) == ("/somewhere/a/b", "/somewhere/runs/r/exit.json")


def test_json_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(str(path), {"é": 1})
    before = path.open()
    write_json(str(path), [2])

    with before:
        assert before.read() == '{"\\u00e9": 1}', "an open reader has the earlier file"
    assert read_json(str(path)) == [2]
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_missing_json_file_is_none(tmp_path: Path) -> None:
    assert read_json(str(tmp_path / "missing.json")) is None


def test_lock_is_held_by_one_process(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first, second = Lock(path), Lock(path)

    assert first.take()
    assert not second.take()
    assert (first.fd >= 0, second.fd) == (True, -1)
    assert second.held()

    first.release()
    first.release()
    assert not second.held()
    assert second.fd == -1, "the check does not keep the lock"
    assert second.take()
    second.release()


def test_lock_is_released_when_its_process_dies(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = f"import fcntl, os; fcntl.flock(os.open({path!r}, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX); print('held')"
    code += "\nimport time\nos.write(1, b'\\n'); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert Lock(path).held()
        process.kill()

    assert not Lock(path).held()


def test_lock_is_not_inherited_by_child_processes(tmp_path: Path) -> None:
    """Otherwise a process that tests leave would keep the runner busy."""
    lock = Lock(str(tmp_path / "lock"))
    lock.take()

    assert fcntl.fcntl(lock.fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    lock.release()
