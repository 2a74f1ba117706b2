"""Supervise the runs in container `tests`: wait for requests and run them one by one.

A single thread waits in `select` for commands in a pipe, for exited children and for the debugger's socket. During a
run it also wakes every 50 ms, to copy output to the log of the container. The process is PID 1. Under cgroup v1 it
survives a child that the kernel kills for memory. Under cgroup v2 the kernel kills the whole container, and container
`keeper` reports the result.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from . import collected_files, container
from .artifact_copies import ArtifactCopies
from .run_command import environment, expand
from .state_files import Lock, read_json, run_path, state, write_json
from .wire import (
    BEGIN_FILE,
    COLLECTED_DIRECTORY,
    EXIT_FILE,
    FRAMES_FILE,
    OUTPUT_FILE,
    PACKAGE,
    REQUEST_FILE,
    TERMINAL_VARIABLE,
)

__all__ = ["keep", "serve"]

_POLL = 0.05
_ABANDONED_SECONDS = 90.0
"""Seconds without a tail after which a run is killed: its host has given up by then."""
_KEPT_RUNS = 5


class _Stopped(BaseException):
    """SIGTERM was received."""


def _stop(*_: object) -> None:
    raise _Stopped


def keep() -> int:
    """Wait until the pod terminates; the host runs commands in this container."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        while True:
            signal.pause()
    except _Stopped:
        return 0


def serve() -> int:
    """Wait for requests and run them, until SIGTERM."""
    for directory in ("inbox", "runs", "cache"):
        os.makedirs(state(directory), exist_ok=True)
    _install_library()
    alive = Lock(state("alive"))
    alive.take(wait=True)
    container.adopt_orphans()
    server = _Server()
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.loop()
    except _Stopped:
        server.kill()
    return 0


_PACKAGE = '''"""Load the modules with `coverage_exclusion.py`. PYTEST_DONT_REWRITE"""
with open(__file__[: -len("__init__.py")] + "coverage_exclusion.py") as _file:
    exec(compile(_file.read(), "<seatrial_agent>/coverage_exclusion.py", "exec", dont_inherit=True))
'''


def _install_library() -> None:
    """Copy this package to a writable directory, from which pytest imports the plugin and where it caches bytecode."""
    here, library = os.path.dirname(os.path.abspath(__file__)), state("lib", PACKAGE)
    shutil.rmtree(library, ignore_errors=True)
    os.makedirs(library)
    for name in os.listdir(here):
        if name.endswith(".py"):
            shutil.copyfile(os.path.join(here, name), os.path.join(library, name))
    with open(os.path.join(library, "__init__.py"), "w") as file:
        file.write(_PACKAGE)


class _Run:
    """The current run."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.id = str(request["run"])
        self.request = request
        self.pid = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.terminal = -1
        self.copied = {OUTPUT_FILE: 0, "log": 0}
        self.artifacts = ArtifactCopies(request, self.path("artifacts"))
        self.oom = container.oom_kills()
        self.followed = (0.0, time.monotonic())

    def path(self, *parts: str) -> str:
        return run_path(self.id, *parts)

    def start(self) -> None:
        """Start the command.

        Raises:
            OSError: the system cannot start it.
        """
        request = self.request
        env = environment(request, dict(os.environ))
        output = os.open(self.path(OUTPUT_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            if request.get("terminal"):
                self.terminal, replica = os.openpty()
                env[TERMINAL_VARIABLE] = os.ttyname(replica)
                os.close(replica)
            self.process = subprocess.Popen(
                expand(request["argv"], request["cwd"], self.path(COLLECTED_DIRECTORY)),
                cwd=request["cwd"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self.pid = self.process.pid

    def copy(self) -> None:
        """Copy new output to stdout, which is the log of the container."""
        for name, offset in self.copied.items():
            try:
                with open(self.path(name), "rb", buffering=0) as file:
                    file.seek(offset)
                    while data := file.read(1 << 16):
                        self.copied[name] += len(data)
                        _write_all(1, data)
            except FileNotFoundError:
                continue

    def is_abandoned(self) -> bool:
        """Whether no host has followed the run recently. The time that a node is paused does not count."""
        now = time.monotonic()
        try:
            followed_at = os.stat(self.path(REQUEST_FILE)).st_mtime
        except OSError:
            followed_at = 0.0
        if followed_at != self.followed[0]:
            self.followed = (followed_at, now)
        return now - self.followed[1] > _ABANDONED_SECONDS

    def signal(self, number: int) -> None:
        """Send a signal to the process group, as a terminal does."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end(self, outcome: dict[str, Any]) -> None:
        """Record how the run ended, then pack the collected files."""
        container.end_children()
        self.copy()
        if self.terminal >= 0:
            os.close(self.terminal)
        sizes = {}
        for name in (FRAMES_FILE, OUTPUT_FILE):
            with contextlib.suppress(FileNotFoundError):
                sizes[name] = os.stat(self.path(name)).st_size
        claims = 0
        with contextlib.suppress(FileNotFoundError), open(self.path("claims"), "rb") as file:
            claims = len(file.read().splitlines())
        write_json(
            self.path(EXIT_FILE),
            {
                "at": time.time(),
                "sizes": sizes,
                "sessions": claims,
                "oom_kills": container.oom_kills() - self.oom,
                "usage": {
                    "memory_peak": container.memory_peak(),
                    "cpu_seconds": round(container.cpu_seconds(), 3),
                },
                "memory_limit": container.memory_limit(),
                **outcome,
            },
        )
        self.artifacts.remove()
        # A shell ends with 128 and the number of the signal that ended its child.
        killed = outcome["signal"] is not None or (outcome["code"] or 0) > 128  # noqa: PLR2004
        collected_files.pack(self.request, self.path(), killed=killed)


class _Server:
    """The event loop and its sources."""

    def __init__(self) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(state("control"), 0o666)
        # Open for reading and writing: otherwise `select` reports the end whenever the last writer closes the pipe.
        self.control = os.open(state("control"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        self.debugger = _listen()
        self.run: _Run | None = None
        self.busy = Lock(state("busy"))

    def loop(self) -> None:
        """Run the event loop until an exception ends it."""
        while True:
            if self.run is None:
                self.next()
            sources: list[int] = [self.control, self.wake, self.debugger.fileno()]
            waiting, _, _ = select.select(sources, [], [], _POLL if self.run else None)
            if self.wake in waiting:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
            if self.control in waiting:
                self.command()
            if self.debugger.fileno() in waiting:
                self.hand_over_terminal()
            if self.run:
                self.run.copy()
                self.run.artifacts.renew()
                if self.run.is_abandoned():
                    self.end_run()
            self.reap()

    def next(self) -> None:
        """Start the oldest request."""
        while self.run is None:
            waiting = sorted(name for name in os.listdir(state("inbox")) if name.endswith(".json"))
            if not waiting:
                return
            path = state("inbox", waiting[0])
            request = read_json(path)
            os.remove(path)
            self.start(_Run(request))

    def start(self, run: _Run) -> None:
        self.prune()
        os.makedirs(run.path(COLLECTED_DIRECTORY), exist_ok=True)
        write_json(run.path(REQUEST_FILE), run.request)
        self.busy.take(wait=True)
        begun = {"at": time.time(), "python": sys.version.split()[0], "pid": 0}
        try:
            run.start()
        except OSError as error:
            self.busy.release()
            write_json(run.path(BEGIN_FILE), begun)
            run.end({"code": None, "signal": None, "error": f"{error.strerror}: {error.filename}"})
            return
        write_json(run.path(BEGIN_FILE), {**begun, "pid": run.pid})
        self.run = run

    def reap(self) -> None:
        """Reap exited children; one of them may be the run."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.run and pid == self.run.pid:
                self.ended(self.run, status)

    def ended(self, run: _Run, status: int) -> None:
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if run.process:
            run.process.returncode = code if code is not None else -(number or 0)
        run.end({"code": code, "signal": number, "error": ""})
        self.run = None
        self.busy.release()

    def command(self) -> None:
        """Run the commands in the pipe. A line for a new request only wakes the loop."""
        for line in os.read(self.control, 4096).decode("ascii", "replace").splitlines():
            word, _, run = line.partition(" ")
            if self.run and self.run.id == run:
                if word == "interrupt":
                    self.run.signal(signal.SIGINT)
                elif word == "kill":
                    self.end_run()

    def end_run(self) -> None:
        """Kill all processes of the run; its end is recorded as usual."""
        if self.run:
            self.run.signal(signal.SIGKILL)
        container.kill_children()

    def hand_over_terminal(self) -> None:
        """Send the master side of the run's pseudo-terminal to a process that connects to the socket."""
        connection, _ = self.debugger.accept()
        with connection:
            if self.run and self.run.terminal >= 0:
                socket.send_fds(connection, [b"+"], [self.run.terminal])
            else:
                connection.sendall(b"-")

    def prune(self) -> None:
        """Delete the directories of old runs."""
        runs = sorted(os.listdir(state("runs")))
        for run in runs[: max(0, len(runs) - _KEPT_RUNS)]:
            shutil.rmtree(state("runs", run), ignore_errors=True)

    def kill(self) -> None:
        """Kill the run without recording its end."""
        if self.run:
            self.run.signal(signal.SIGKILL)
            container.end_children(grace=0)


def _listen() -> socket.socket:
    """Return a listening socket for debuggers, bound to a relative path because the limit is 108 characters."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(state("terminal"))
    # Return by descriptor: another process may have deleted the working directory.
    before = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    os.chdir(state())
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("terminal")
        listener.listen(1)
    finally:
        os.fchdir(before)
        os.close(before)
    return listener


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
