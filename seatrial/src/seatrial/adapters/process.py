"""Programs of this machine. The only module that starts any."""

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

from seatrial.adapters.proxy_exceptions import LOOPBACK, direct
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, OutOfTime
from seatrial.model.redaction import SECRETS
from seatrial.ports import Completed, Progress

__all__ = ["LocalProcesses"]

_TAIL: Final = 40
"""Lines of output that an error keeps."""

_DIRECT: Final = (*LOOPBACK, "seatrial-registry")
"""What programs reach without a proxy: this machine, and the registry by the name that nodes use."""

_LOOK: Final = 0.05
"""Seconds between two looks at a process that is not our child."""

_GRACE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL."""


class LocalProcesses:
    """Runs programs, each in a session of its own, so that Ctrl-C reaches us first and we decide what dies when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def find(self, program: str) -> str | None:
        """Return the path of a program on PATH, or None."""
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
        """Run a program to its end.

        Args:
            argv: program and arguments; no shell.
            deadline: when it and all its children are killed.
            cwd: where it runs; default: here.
            env: variables that are added to ours.
            stdin: what it can read.
            log: file that argv and output are appended to while it runs.
            line: called with each line that it prints, without the line's end.
            check: whether an exit code other than 0 is an error.
            cleanup: it undoes what another program did, so it runs after `stop` too.

        Raises:
            CommandFailed: it cannot be started, or `check` and it failed.
            OutOfTime: the deadline passed first.
        """
        run = _Run(argv, log, line)
        try:
            with self._lock:
                if self._stopped and not cleanup:
                    raise CommandFailed(argv, -signal.SIGTERM, "not started: everything is being stopped")
                process = subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env={**os.environ, **direct(os.environ, _DIRECT), **(env or {})},
                    stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
                self._running.add(process)
        except OSError as error:
            run.close()
            raise CommandFailed(argv, 127, f"{argv[0]}: {error.strerror}", hint=f"install {argv[0]}") from error
        try:
            run.follow(process, stdin)
            ended = _ended(process, deadline.left)
            if ended:
                run.finish(deadline)
            else:
                self._kill(process)
        except BaseException:
            self._kill(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
            run.close()
        if not ended:
            said = f"{shlex.join(map(SECRETS.text, argv))} did not end in time"
            raise OutOfTime(said, reason=SECRETS.text(run.last()), log=str(log) if log else "")
        if check and process.returncode != 0:
            shown = [SECRETS.text(word) for word in argv]
            raise CommandFailed(shown, process.returncode, SECRETS.text(run.tail()), log=str(log) if log else "")
        return Completed(argv=tuple(argv), code=process.returncode, stdout=run.out(), stderr=run.err())

    def stop(self) -> None:
        """Kill everything that runs, and start nothing more until `resume`."""
        with self._lock:
            self._stopped = True
            running = tuple(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)

    def resume(self) -> None:
        """Let programs be started again after `stop`."""
        with self._lock:
            self._stopped = False

    def end_left_behind(self, program: str, mark: str) -> bool:
        """End programs that a killed command of ours left running, with their children; say if there were any.

        Args:
            program: name of the program.
            mark: one of its arguments, which no other program has.
        """
        # An interpreter may stand before the name of a script.
        found = [
            pid for pid, argv in _processes() if mark in argv and program in (Path(word).name for word in argv[:3])
        ]
        # What we start leads a process group of its own.
        leaders = [pid for pid in found if _group(pid) == pid and pid not in {each.pid for each in self._running}]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in leaders:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, number)
            until = time.monotonic() + _GRACE
            while any(_group(pid) == pid for pid in leaders) and time.monotonic() < until:
                time.sleep(_LOOK)
        return bool(leaders)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        _signal(process, signal.SIGTERM)
        _ended(process, _GRACE)
        # Children may have outlived the leader of the group.
        _signal(process, signal.SIGKILL)
        process.wait()


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Yield the processes of this machine with their arguments, as far as we may see them."""
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
    """Return the process group of a process, 0 if it has ended."""
    try:
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return 0
        return os.getpgid(pid)
    except (OSError, IndexError):
        return 0


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process and say whether it ended. `Popen.wait(timeout)` polls: up to 50 ms more for each command."""
    waiter = threading.Thread(target=process.wait, daemon=True)
    waiter.start()
    waiter.join(seconds)
    return not waiter.is_alive()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Run:
    """Output of one program: kept, logged, and told line by line."""

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
        """Wait for the output's end. A daemon that the program left behind may hold it open: it gets two seconds."""
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
        """Return the last lines; those of stderr stand last: a program's last word is there if anywhere."""
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
