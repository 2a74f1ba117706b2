"""A pod that is a directory: the real agent under a real interpreter, reached by subprocesses instead of the API."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from seatrial.pod.agent.wire import AGENT_ENTRY, PACKAGE, STATE_VARIABLE
from seatrial.ports import Completed, ContainerState, StreamBroken
from seatrial.runner.agent_files import agent_argv, agent_files


class StartedHere:
    """A command that was started."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        self.process = process
        self.timeout = timeout

    def is_waiting(self) -> bool:
        return self.process.poll() is None

    def finish(self, stdin: bytes) -> Completed:
        stdout, stderr = self.process.communicate(stdin, timeout=self.timeout)
        return Completed(argv=(), code=self.process.returncode, stdout=stdout, stderr=stderr)

    def close(self) -> None:
        self.process.communicate(b"", timeout=self.timeout)


class LocalPod:
    """Two containers in one directory.

    Attributes:
        python: the interpreter that runs agent and tests.
        entry: where the agent is.
        workdir: the working directory of the tests.
        cut_after: cut each stream after that many bytes; None never.
    """

    def __init__(self, directory: Path, python: str, workdir: Path | None = None) -> None:
        self.directory = directory
        self.python = python
        self.workdir = workdir or directory / "app"
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.state_directory = directory / "state"
        self.state_directory.mkdir()
        package = directory / PACKAGE
        package.mkdir()
        for name, text in agent_files().items():
            (package / name).write_text(text)
        self.entry = str(package / "agent.py")
        self.env = {**_clean_environment(), STATE_VARIABLE: str(self.state_directory)}
        self.cut_after: int | None = None
        self.log = (directory / "container.log").open("wb")
        self.serve = self._start_serve()

    def _start_serve(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.serve_argv(), cwd=self.workdir, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, start_new_session=True,
        )  # fmt: skip

    def serve_argv(self) -> Sequence[str]:
        """Return the command of the container."""
        return agent_argv("serve", python=self.python, entry=self.entry)

    def wait_ready(self) -> None:
        """Wait until the supervisor takes requests."""
        deadline = time.monotonic() + 10
        while not (self.state_directory / "terminal").exists():
            assert time.monotonic() < deadline, (self.directory / "container.log").read_text()
            time.sleep(0.01)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        """Run a command in the pod."""
        done = subprocess.run(
            argv, input=stdin, cwd=self.workdir, env=self.env, capture_output=True, timeout=timeout, check=False
        )
        return Completed(argv=tuple(argv), code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> StartedHere:
        """Start a command in the pod, which then waits for its input."""
        argv = agent_argv(*argv[argv.index(AGENT_ENTRY) + 1 :], python=self.python, entry=self.entry)
        process = subprocess.Popen(
            argv, cwd=self.workdir, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        return StartedHere(process, timeout)

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Not available: a directory has no terminal."""
        raise NotImplementedError

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Not available: a directory has no terminal."""
        raise NotImplementedError

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        """Yield what a command prints."""
        process = subprocess.Popen(
            argv, cwd=self.workdir, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        seen = 0
        try:
            while True:
                ready, _, _ = select.select([process.stdout], [], [], 15)
                if not ready:
                    raise StreamBroken("silence")
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    break
                if self.cut_after is not None and seen + len(data) > self.cut_after:
                    yield data[: self.cut_after - seen]
                    raise StreamBroken("cut")
                seen += len(data)
                yield data
            errors = process.stderr.read().decode()
            if process.wait():
                raise StreamBroken(errors)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()

    def state(self) -> ContainerState:
        """Tell what Kubernetes would tell of container `tests`."""
        code = self.serve.poll()
        if code is None:
            return ContainerState(state="running")
        code, reason = (
            (128 - code, "OOMKilled" if code == -signal.SIGKILL else "Error") if code < 0 else (code, "Error")
        )
        return ContainerState(state="terminated", code=code, reason=reason, memory_limit="512Mi")

    def kill_container(self) -> None:
        """Do what the kernel does to a container that is out of memory, under cgroup v2."""
        # Listed before: the children of a process that has ended belong to another one.
        children = _below(self.serve.pid)
        os.killpg(self.serve.pid, signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.serve.wait()

    def close(self) -> None:
        """End it. What it logged is shown beside a test that fails."""
        self.serve.terminate()
        try:
            self.serve.wait(10)
        except subprocess.TimeoutExpired:
            self.serve.kill()
            self.serve.wait()
        self.log.close()
        print((self.directory / "container.log").read_text(errors="replace"))
        shutil.rmtree(self.state_directory, ignore_errors=True)


def _below(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [*_below(int(entry.name)), int(entry.name)]
    return found


def _clean_environment() -> dict[str, str]:
    """Return the environment of this process without variables of the test run."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "COVERAGE_", "PYTHON", "SEATRIAL_"))
        and name not in ("COLUMNS", "CI")
    }
