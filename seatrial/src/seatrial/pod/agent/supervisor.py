"""The supervisor in container `tests`: waits for requests and runs them one after the other.

One thread that sleeps in `select` on a pipe with commands, on the death of children and on the debugger's socket; while
a run goes on it wakes every 50 ms to copy its output to the container's log. It is PID 1 and outlives a child that the
kernel kills for memory, under cgroup v1; under v2 the whole container dies and container `keeper` tells the story.
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
from .wire import EXIT_FILE, FRAMES_FILE, OUTPUT_FILE, PACKAGE, TERMINAL_VARIABLE

__all__ = ["keep", "serve"]

_POLL = 0.05
_UNWATCHED = 90.0
"""Seconds without a tail after which a run is ended: its host has given it up by then."""
_KEPT_RUNS = 5


class _Stopped(BaseException):
    """The container is to end."""


def _stop(*_: object) -> None:
    raise _Stopped


def keep() -> int:
    """Live until the pod ends; everything else comes by exec."""
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


_PACKAGE = '''"""What `coverage_exclusion.py` says. PYTEST_DONT_REWRITE"""
with open(__file__[: -len("__init__.py")] + "coverage_exclusion.py") as _file:
    exec(compile(_file.read(), "<seatrial_agent>/coverage_exclusion.py", "exec", dont_inherit=True))
'''


def _install_library() -> None:
    """Copy this package to where pytest imports the plugin from: a place where what was compiled can be kept."""
    here, library = os.path.dirname(os.path.abspath(__file__)), state("lib", PACKAGE)
    shutil.rmtree(library, ignore_errors=True)
    os.makedirs(library)
    for name in os.listdir(here):
        if name.endswith(".py"):
            shutil.copyfile(os.path.join(here, name), os.path.join(library, name))
    with open(os.path.join(library, "__init__.py"), "w") as file:
        file.write(_PACKAGE)


class _Run:
    """One run while it goes on."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.id = str(request["run"])
        self.request = request
        self.pid = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.terminal = -1
        self.copied = {OUTPUT_FILE: 0, "log": 0}
        self.artifacts = ArtifactCopies(request, self.path("artifacts"))
        self.oom = container.oom_kills()
        self.watched = (0.0, time.monotonic())

    def path(self, *parts: str) -> str:
        return run_path(self.id, *parts)

    def start(self) -> None:
        """Start the command. Raises OSError if the system cannot."""
        request = self.request
        env = environment(request, dict(os.environ))
        output = os.open(self.path(OUTPUT_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            if request.get("terminal"):
                self.terminal, replica = os.openpty()
                env[TERMINAL_VARIABLE] = os.ttyname(replica)
                os.close(replica)
            self.process = subprocess.Popen(
                expand(request["argv"], request["cwd"], self.path("home")),
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
        """Copy what it printed since the last time to our stdout: the container's log."""
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
        """Whether nobody has followed the run for long, by this process' own clock: time in a paused node is none."""
        now = time.monotonic()
        try:
            said = os.stat(self.path("request.json")).st_mtime
        except OSError:
            said = 0.0
        if said != self.watched[0]:
            self.watched = (said, now)
        return now - self.watched[1] > _UNWATCHED

    def signal(self, number: int) -> None:
        """Signal its process group, as a terminal does."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end(self, outcome: dict[str, Any]) -> None:
        """Say how it ended; then gather what comes home."""
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
                "memory_peak": container.memory_peak(),
                "memory_limit": container.memory_limit(),
                **outcome,
            },
        )
        self.artifacts.remove()
        # A shell ends with 128 and the number of the signal that ended its child.
        killed = outcome["signal"] is not None or (outcome["code"] or 0) > 128  # noqa: PLR2004
        collected_files.pack(self.request, self.path(), killed=killed)


class _Server:
    """The loop and what it waits on."""

    def __init__(self) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(state("control"), 0o666)
        # Open for both directions: then it never reports the end when the last writer leaves.
        self.control = os.open(state("control"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.wake, woken = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self.debugger = _listen()
        self.run: _Run | None = None
        self.busy = Lock(state("busy"))

    def loop(self) -> None:
        """Serve until an exception ends it."""
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
        """Start the oldest request there is."""
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
        os.makedirs(run.path("home"), exist_ok=True)
        write_json(run.path("request.json"), run.request)
        self.busy.take(wait=True)
        begun = {"at": time.time(), "python": sys.version.split()[0], "pid": 0}
        try:
            run.start()
        except OSError as error:
            self.busy.release()
            write_json(run.path("begin.json"), begun)
            run.end({"code": None, "signal": None, "error": f"{error.strerror}: {error.filename}"})
            return
        write_json(run.path("begin.json"), {**begun, "pid": run.pid})
        self.run = run

    def reap(self) -> None:
        """Take the dead; one of them may be the run."""
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
        """Obey the lines in the pipe. A new request needs no word; it only had to wake us."""
        for line in os.read(self.control, 4096).decode("ascii", "replace").splitlines():
            word, _, run = line.partition(" ")
            if self.run and self.run.id == run:
                if word == "interrupt":
                    self.run.signal(signal.SIGINT)
                elif word == "kill":
                    self.end_run()

    def end_run(self) -> None:
        """Kill all processes of the run; its end is told like any other."""
        if self.run:
            self.run.signal(signal.SIGKILL)
        container.kill_children()

    def hand_over_terminal(self) -> None:
        """Give the master side of the run's terminal to a process that came for it."""
        connection, _ = self.debugger.accept()
        with connection:
            if self.run and self.run.terminal >= 0:
                socket.send_fds(connection, [b"+"], [self.run.terminal])
            else:
                connection.sendall(b"-")

    def prune(self) -> None:
        """Forget old runs."""
        runs = sorted(os.listdir(state("runs")))
        for run in runs[: max(0, len(runs) - _KEPT_RUNS)]:
            shutil.rmtree(state("runs", run), ignore_errors=True)

    def kill(self) -> None:
        """End the run without ceremony."""
        if self.run:
            self.run.signal(signal.SIGKILL)
            container.end_children(patience=0)


def _listen() -> socket.socket:
    """Return a socket that waits for debuggers. Bound by a short relative name: 108 characters are all there is."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(state("terminal"))
    # Back by descriptor: the directory of the tests may be gone by then, a delta or an image's own process removed it.
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
