"""Run commands in containers of the local engine with `docker exec`."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.ports import Completed, StreamBroken

__all__ = ["ContainerExec"]

_CHUNK: Final = 1 << 16
_LARGEST: Final = 64 << 20
"""Limit in bytes for the output of a command: a list of 500,000 files is smaller."""
_TAIL: Final = 1 << 16
"""Bytes of the end of stderr that are kept."""
_REFUSED: Final = (b"Error response from daemon:", b"Error: No such container", b"Cannot connect to the Docker daemon")
"""How errors of Docker's client begin; other output on stderr is that of the command."""
_END_SECONDS: Final = 2.0


class ContainerExec:
    """Commands in the containers of one runner.

    Args:
        containers: names in the port `PodExec` to names of containers: `tests` to `shop-1a2b3c4d-test-runner-1`.
    """

    def __init__(self, containers: Mapping[str, str]) -> None:
        self._containers = containers

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        """Run a command and wait until it exits.

        Raises:
            OutOfTime: the command took longer than `timeout` seconds; it may still run.
            EnvironmentFailed: the engine refuses the command, for example because the container is not running.
        """
        return self._start(argv, container, timeout, stdin=bool(stdin)).finish(stdin)

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> _RunningCommand:
        """Start a command that waits for its input; after the input it has `timeout` seconds."""
        return self._start(argv, container, timeout, stdin=True)

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        """Yield the stdout of a command until it exits with 0. Its stdin is closed when the connection ends.

        Args:
            argv: the command.
            container: container of the command.
            silence: seconds without output after which the connection counts as lost.

        Raises:
            StreamBroken: the connection was lost, or the command failed.
            EnvironmentFailed: the engine refuses the command.
        """
        command = self._start(argv, container, silence, stdin=True)
        try:
            while data := command.read(silence):
                yield data
            code = command.wait()
            if code:
                command.check(code)
                raise StreamBroken(f"{argv[0]} failed with exit code {code}: {command.last_words()}")
        finally:
            command.close()

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Run a command in the terminal of this process; return its exit code."""
        return subprocess.run([*self._argv(container, "-it"), *argv], check=False).returncode

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Run a command without input, with the stdout and stderr of this process; return its exit code."""
        return subprocess.run([*self._argv(container), *argv], check=False, stdin=subprocess.DEVNULL).returncode

    def _argv(self, container: str, *flags: str) -> list[str]:
        return ["docker", "exec", *flags, self._containers.get(container, container)]

    def _start(self, argv: Sequence[str], container: str, timeout: float, *, stdin: bool) -> _RunningCommand:
        try:
            process = subprocess.Popen(
                [*self._argv(container, *(("-i",) if stdin else ())), *argv],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C reaches only seatrial, which ends the command.
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFailed(f"docker cannot be started: {error.strerror}", hint="install docker") from error
        return _RunningCommand(process, tuple(argv), container, timeout)


class _RunningCommand:
    """A command that was started; see `seatrial.ports.Started`."""

    def __init__(self, process: subprocess.Popen[bytes], argv: tuple[str, ...], container: str, timeout: float) -> None:
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._argv = argv
        self._container = container
        self._timeout = timeout
        self._stdout = process.stdout
        self._errors = bytearray()
        self._reader = threading.Thread(target=self._read_errors, args=(process.stderr,), daemon=True)
        self._reader.start()

    def is_waiting(self) -> bool:
        """Whether the command waits for its input: it has neither exited nor printed anything."""
        return self._process.poll() is None and not _is_readable(self._stdout, 0) and not self._errors

    def finish(self, stdin: bytes) -> Completed:
        """Send the input and wait until the command exits. Raises what `ContainerExec.run` raises."""
        deadline, output, kept = Deadline.after(self._timeout), list[bytes](), 0
        try:
            if self._process.stdin is not None:
                threading.Thread(target=_feed, args=(self._process.stdin, stdin), daemon=True).start()
            while data := self._read(deadline.left):
                output.append(data)
                kept += len(data)
                if kept > _LARGEST:
                    raise EnvironmentFailed(f"{self._argv[0]} printed more than {_LARGEST >> 20} MiB")
            code = self.wait()
        except StreamBroken:
            late = f"{self._argv[0]} in container {self._container} timed out after {self._timeout:.0f} s"
            raise OutOfTime(late) from None
        finally:
            self.close()
        self.check(code)
        return Completed(argv=self._argv, code=code, stdout=b"".join(output), stderr=bytes(self._errors))

    def read(self, silence: float) -> bytes:
        """Return the next output; empty at its end.

        Raises:
            StreamBroken: the command printed nothing for `silence` seconds.
        """
        return self._read(silence)

    def wait(self) -> int:
        """Return the exit code of a command whose output has ended."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            raise StreamBroken("the command's exit status was lost") from None
        self._reader.join(_END_SECONDS)
        return code

    def check(self, code: int) -> None:
        """Raise an EnvironmentFailed if the engine refused the command."""
        errors = bytes(self._errors)
        if code and errors.lstrip().startswith(_REFUSED):
            reason = self.last_words().removeprefix("Error response from daemon: ").removeprefix("Error: ")
            raise EnvironmentFailed(
                f"cannot run {self._argv[0]} in container {self._container}", reason=reason, hint="seatrial status"
            )

    def last_words(self) -> str:
        """Return what the command printed to stderr."""
        return bytes(self._errors).decode(errors="replace").strip()

    def close(self) -> None:
        """Disconnect; the command reads the end of its input."""
        if self._process.stdin is not None:
            with suppress(OSError, ValueError):
                self._process.stdin.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(_END_SECONDS)
        self._stdout.close()

    def _read(self, seconds: float) -> bytes:
        if not _is_readable(self._stdout, seconds):
            raise StreamBroken(f"no output for {seconds:.0f} s")
        return os.read(self._stdout.fileno(), _CHUNK)

    def _read_errors(self, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # a BufferedReader
                self._errors += data
                del self._errors[:-_TAIL]


def _is_readable(stream: IO[bytes], seconds: float) -> bool:
    """Wait until a stream has data or has ended; return False if it has neither in time."""
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not (found := selector.select(max(0.0, until - time.monotonic()))) and time.monotonic() < until:
            pass
        return bool(found)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(OSError, ValueError), stream:
        stream.write(data)
