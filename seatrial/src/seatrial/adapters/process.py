"""Run programs on this machine. No other module starts processes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from seatrial.adapters.proxy_exceptions import LOOPBACK, no_proxy_variables
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime
from seatrial.model.redaction import SECRETS
from seatrial.ports import Completed, Progress

__all__ = ["LocalProcesses"]

_TAIL: Final = 40
"""Lines of output in an error."""

_DIRECT: Final = (*LOOPBACK, "seatrial-registry")
"""Hosts that programs reach without a proxy: loopback, and the registry by the name that nodes use."""

_POLL: Final = 0.05
"""Seconds between two checks of a process that is not a child."""

_GRACE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL."""


class LocalProcesses:
    """Run programs, each in its own process group: Ctrl-C reaches only seatrial, which terminates them in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def find(self, program: str) -> str | None:
        """Return the path of a program on PATH; None if it is not installed."""
        return shutil.which(program)

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        log: Path | None = None,
        line: Progress | None = None,
        check: bool = True,
        cleanup: bool = False,
    ) -> Completed:
        """Run a program and wait until it exits.

        Args:
            argv: program and arguments, without a shell.
            deadline: then the program and its children are killed.
            cwd: working directory; default: that of this process.
            env: variables that are added to the environment of this process.
            stdin: input of the program.
            log: file to which argv and output are appended while the program runs.
            line: called with each line of output, without its line end.
            check: whether an exit code other than 0 is an error.
            cleanup: whether the program also runs after `stop`, because it reverts another one.

        Raises:
            CommandFailed: the program cannot be started, or failed and `check` is set.
            OutOfTime: the deadline passed.
        """
        output = _Output(argv, log, line)
        try:
            with self._lock:
                if self._stopped and not cleanup:
                    raise CommandFailed(argv, -signal.SIGTERM, "not started: seatrial is being stopped")
                process = subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env={**os.environ, **no_proxy_variables(os.environ, _DIRECT), **(env or {})},
                    stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                self._running.add(process)
        except OSError as error:
            output.close()
            raise CommandFailed(argv, 127, f"{argv[0]}: {error.strerror}", hint=f"install {argv[0]}") from error
        try:
            output.follow(process, stdin)
            exited = _wait(process, deadline.left)
            if exited:
                output.finish(deadline)
            else:
                self._kill(process)
        except BaseException:
            self._kill(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
            output.close()
        if not exited:
            message = f"{shlex.join(map(SECRETS.text, argv))} timed out"
            raise OutOfTime(message, reason=SECRETS.text(output.last()), log=str(log) if log else "")
        if check and process.returncode != 0:
            shown = [SECRETS.text(word) for word in argv]
            raise CommandFailed(shown, process.returncode, SECRETS.text(output.tail()), log=str(log) if log else "")
        return Completed(argv=tuple(argv), code=process.returncode, stdout=output.out(), stderr=output.err())

    def stop(self) -> None:
        """Terminate all running programs, and start no more until `resume`."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)

    def resume(self) -> None:
        """Allow programs to be started again after `stop`."""
        with self._lock:
            self._stopped = False

    def end_orphans(self, program: str, argument: str) -> bool:
        """Terminate programs of a killed seatrial command, with their children; return whether there were any.

        Args:
            program: name of the program.
            argument: one of its arguments that no other process has.
        """
        # The first arguments may be an interpreter and its script.
        found = [
            pid for pid, argv in _processes() if argument in argv and program in (Path(word).name for word in argv[:3])
        ]
        # Programs that seatrial starts lead their own process groups.
        leaders = [pid for pid in found if _group(pid) == pid and pid not in {each.pid for each in self._running}]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in leaders:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, number)
            until = time.monotonic() + _GRACE
            while any(_group(pid) == pid for pid in leaders) and time.monotonic() < until:
                time.sleep(_POLL)
        return bool(leaders)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        _signal(process, signal.SIGTERM)
        _wait(process, _GRACE)
        # Children may have outlived the leader of the process group.
        _signal(process, signal.SIGKILL)
        process.wait()


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Yield pid and arguments of the processes that are visible to this user."""
    if Path("/proc/self/cmdline").exists():
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit():
                    words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                    yield int(entry.name), [os.fsdecode(word) for word in words]
        return
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, check=False)
    for line in listed.stdout.decode(errors="surrogateescape").splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command.split()


def _group(pid: int) -> int:
    """Return the process group of a process; 0 if it has exited."""
    try:
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return 0
        return os.getpgid(pid)
    except (OSError, IndexError):
        return 0


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process; return whether it exited. `Popen.wait(timeout)` polls, which costs up to 50 ms."""
    waiter = threading.Thread(target=process.wait, daemon=True)
    waiter.start()
    waiter.join(seconds)
    return not waiter.is_alive()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Output:
    """The output of one program: collected, logged, and passed on line by line."""

    def __init__(self, argv: Sequence[str], log: Path | None, line: Progress | None) -> None:
        self._line = line
        self._log: IO[bytes] | None = None
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            self._log = log.open("ab")
            self._log.write(f"$ {shlex.join(map(SECRETS.text, argv))}\n".encode())
            self._log.flush()
        self._lock = threading.Lock()
        self._kept: tuple[list[bytes], list[bytes]] = ([], [])
        self._threads: list[threading.Thread] = []

    def follow(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        for stream, kept in zip((process.stdout, process.stderr), self._kept, strict=True):
            self._spawn(self._read, stream, kept)
        if stdin:
            self._spawn(_feed, process.stdin, stdin)

    def finish(self, deadline: Deadline) -> None:
        """Wait for the end of the output, at most 2 s: a daemon that the program started may keep it open."""
        limit = deadline.child(2)
        for thread in self._threads:
            thread.join(limit.left)

    def close(self) -> None:
        with self._lock:
            if self._log:
                self._log.close()
                self._log = None

    def out(self) -> bytes:
        return b"".join(self._kept[0])

    def err(self) -> bytes:
        return b"".join(self._kept[1])

    def tail(self) -> str:
        """Return the last lines of stdout and stderr; errors are usually at the end of stderr."""
        lines = [line for kept in self._kept for line in kept[-_TAIL:]]
        return b"".join(lines[-_TAIL:]).decode(errors="replace")

    def last(self) -> str:
        return self.tail().strip().rsplit("\n", 1)[-1]

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _read(self, stream: IO[bytes], kept: list[bytes]) -> None:
        with stream:
            for line in stream:
                kept.append(line)
                with self._lock:
                    if self._log:
                        self._log.write(SECRETS.data(line))
                        self._log.flush()
                if self._line:
                    self._line(line.decode(errors="replace").rstrip("\r\n"))


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError), stream:
        stream.write(data)
