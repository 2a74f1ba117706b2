"""The supervisor of the container `tests`: runs, abandoned runs, signals, old directories."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from runner.bench import PASSES, Bench, wait_for
from runner.local_pod import LocalPod
from seatrial.model.errors import ExitCode
from seatrial.pod.agent import supervisor
from seatrial.pod.agent.wire import PACKAGE, PLUGIN, STATE_VARIABLE


def test_library_has_the_modules_of_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest imports the plugin from there; files of an earlier version are deleted."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    library = tmp_path / "lib" / PACKAGE
    library.mkdir(parents=True)
    (library / "old.py").touch()

    supervisor._install_library()

    names = {path.name for path in library.iterdir()}
    assert {"__init__.py", f"{PLUGIN.rpartition('.')[2]}.py", "coverage_exclusion.py"} <= names
    assert "old.py" not in names


def test_last_five_runs_keep_their_directories(bench: Bench) -> None:
    bench.write(test_a_py=PASSES)
    bench.build()
    for _ in range(7):
        bench.run("--collect-only", "-q")

    kept = sorted(path.name for path in (bench.pod.state_directory / "runs").iterdir())

    # Before each run, older ones than the last five are deleted.
    assert kept == [f"20260101-00000{number}-0000" for number in range(2, 8)]


def test_exit_file_has_code_sizes_and_sessions(bench: Bench) -> None:
    bench.write(test_a_py="def test_a(): assert 0\n")
    bench.build()
    bench.run()

    (run,) = (bench.pod.state_directory / "runs").iterdir()
    ended = json.loads((run / "exit.json").read_text())
    assert (ended["code"], ended["signal"], ended["error"], ended["sessions"]) == (1, None, "", 1)
    assert ended["sizes"] == {name: (run / name).stat().st_size for name in ("frames", "output")}


def test_processes_left_by_tests_are_killed(bench: Bench) -> None:
    """The next run starts with the same processes as the first one."""
    marker = bench.pod.directory / "pid"
    bench.write(
        test_a_py="import subprocess\n"
        "def test_leaves():\n"
        f"    process = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"    open({str(marker)!r}, 'w').write(str(process.pid))\n"
    )
    bench.build()

    assert bench.run("-p", "no:unraisableexception").verdict.exit is ExitCode.PASSED
    assert not Path(f"/proc/{marker.read_text()}").exists()


def test_sigterm_ends_the_supervisor_and_its_run(bench: Bench) -> None:
    """A deleted pod terminates at once, not after its grace period."""
    begin = bench.start_unfollowed() / "begin.json"
    pid = json.loads(begin.read_text())["pid"]

    started = time.monotonic()
    bench.pod.serve.send_signal(signal.SIGTERM)

    assert bench.pod.serve.wait(10) == 0
    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{pid}").exists()


class PodWithoutDirectory(LocalPod):
    """A pod whose working directory is deleted while its supervisor starts."""

    def serve_argv(self) -> Sequence[str]:
        return ("sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *super().serve_argv())


def test_supervisor_survives_the_deletion_of_its_working_directory(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    pod = PodWithoutDirectory(tmp_path / "pod", sys.executable)
    bench = Bench(root, pod, tmp_path / "runs")
    try:
        pod.wait_ready()
        pod.workdir.mkdir()
        bench.write(test_a_py="def test_a(): pass\n")
        bench.build()

        assert bench.run().verdict.exit == ExitCode.PASSED
    finally:
        pod.close()


class ImpatientPod(LocalPod):
    """A pod that kills runs which no host follows for a second."""

    def serve_argv(self) -> Sequence[str]:
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); from seatrial_agent import supervisor;"
            " supervisor._ABANDONED_SECONDS = 1.0; supervisor.serve()"
        )
        return [self.python, "-c", code, str(self.directory)]


class TestAbandoned:
    """The host was killed, or has given up."""

    @pytest.fixture
    def pod_class(self) -> type[LocalPod]:
        return ImpatientPod

    def test_abandoned_run_is_killed(self, bench: Bench) -> None:
        ended = bench.start_unfollowed() / "exit.json"
        wait_for(ended.exists)

        assert json.loads(ended.read_text())["signal"] == signal.SIGKILL

    def test_followed_run_continues(self, bench: Bench) -> None:
        bench.write(test_a_py="import time\ndef test_a(): time.sleep(4)\n")
        bench.build()

        assert bench.run().verdict.exit is ExitCode.PASSED
