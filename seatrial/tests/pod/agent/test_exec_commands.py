"""Commands that the host runs in the container of the tests."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from runner.bench import PASSES, Bench
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.pod.agent import exec_commands
from seatrial.pod.agent.exec_commands import interrupt, manifest, submit
from seatrial.pod.agent.file_tree import digest, scan
from seatrial.pod.agent.state_files import Lock, state
from seatrial.pod.agent.wire import STATE_VARIABLE, SubmitError
from seatrial.runner.agent_files import agent_argv


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one test; the state directory has no supervisor."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(exec_commands, "_START_SECONDS", 0.0)
    for directory in ("inbox", "runs", "cache"):
        (tmp_path / "state" / directory).mkdir(parents=True)
    (tmp_path / "app/tests").mkdir(parents=True)
    (tmp_path / "app/tests/test_a.py").write_text(PASSES)
    return tmp_path / "app"


def call(command: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **sent: Any) -> Any:
    """Run a command with a line of JSON and an archive as input; return its answer."""
    stdin = io.BytesIO(json.dumps(sent["line"]).encode() + b"\n" + sent.get("archive", b""))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stdin))
    assert command() == 0
    assert stdin.read() == b"", "the input was read completely"
    return json.loads(capsys.readouterr().out)


def archive(**members: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def test_manifest_has_present_files_and_those_of_the_image(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    query = {"root": str(app), "paths": ["tests"]}
    assert call(manifest, monkeypatch, capsys, line=query)["seeded"] == {}
    Path(state("seed.json")).write_text('{"tests/old.py": []}')

    answer = call(manifest, monkeypatch, capsys, line=query)

    assert sorted(answer["files"]) == ["tests", "tests/test_a.py"]
    assert answer["seeded"] == {"tests/old.py": []}


def test_submit_applies_files_and_reports_them(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(state("cache", "old")).touch()
    tree = {"root": str(app), "paths": ["tests"], "expect": digest(scan(str(app), ["tests"]))}
    line = {"tree": tree, "delete": ["tree/tests/test_a.py"], "cache": True, "archive": True, "request": None}

    answer = call(submit, monkeypatch, capsys, line=line, archive=archive(tree__tests__b="b", cache__new="c"))

    assert sorted(answer["files"]) == ["tests", "tests/b"]
    assert answer["changed"] == 3
    assert [path.name for path in Path(state("cache")).iterdir()] == ["new"]
    assert not Lock(state("busy")).held()


def test_submit_refuses_a_member_outside_of_the_tree(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"tree": {"root": str(app), "paths": ["tests"]}, "archive": True}

    answer = call(submit, monkeypatch, capsys, line=line, archive=archive(**{"tree__..__evil": "x"}))

    assert answer["error"] == SubmitError.REFUSED
    assert "evil" in answer["reason"]
    assert not (app.parent / "evil").exists()


def test_submit_reports_errors_of_the_system(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device", "/app/tests/b")

    monkeypatch.setattr(exec_commands, "apply", full)

    answer = call(submit, monkeypatch, capsys, line={"delete": ["cache/x"]})

    assert answer == {"error": SubmitError.OS, "reason": "No space left on device: /app/tests/b"}


def test_submit_without_a_supervisor_reports_it_as_dead(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(submit, monkeypatch, capsys, line={"tree": None, "request": {"run": "r"}})

    assert answer["error"] == SubmitError.DEAD
    assert interrupt("r", kill=False) == 1


def test_submit_without_input_does_nothing(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO()))

    assert submit() == 1
    assert not Path(state("busy")).exists()


@pytest.mark.parametrize(("kill", "line"), [(False, b"interrupt r\n"), (True, b"kill r\n")])
def test_interrupt_writes_to_the_pipe_of_the_supervisor(app: Path, kill: bool, line: bytes) -> None:
    os.mkfifo(state("control"))
    reader = os.open(state("control"), os.O_RDONLY | os.O_NONBLOCK)

    assert interrupt("r", kill=kill) == 0
    assert os.read(reader, 100) == line
    os.close(reader)


def test_refused_input_is_read_completely(bench: Bench) -> None:
    """An exec whose command does not read its input never ends."""
    tree = {"root": str(bench.pod.workdir), "paths": ["tests"], "expect": "something else"}
    argv = agent_argv("submit", python=bench.pod.python, entry=bench.pod.entry)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bench.pod.env) as submit:
        assert submit.stdin is not None
        submit.stdin.write(json.dumps({"tree": tree, "archive": True}).encode() + b"\n")
        submit.stdin.write(bytes(1 << 20))  # a broken pipe is an error here
        submit.stdin.close()
        assert submit.stdout is not None
        assert json.loads(submit.stdout.read()) == {"error": "differs", "files": {}}


def test_second_run_in_a_pod_is_refused_while_a_host_follows_the_first(bench: Bench) -> None:
    """The run of a host that was killed is ended for it."""
    request_file = bench.start_unfollowed() / "request.json"

    keep = threading.Event()

    def watch() -> None:
        while not keep.wait(0.2):
            os.utime(request_file)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(EnvironmentFailed, match="the runner pod is in use by run 20251231-000000-0000"):
        bench.run()
    keep.set()
    watcher.join()
    # Last followed four seconds ago. After one more second, the run counts as abandoned.
    os.utime(request_file, (time.time() - 4,) * 2)
    bench.write(test_a_py=PASSES)
    bench.build()

    assert bench.run().verdict.exit is ExitCode.PASSED
