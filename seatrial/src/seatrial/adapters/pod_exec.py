"""Run commands in pods through a WebSocket to the subresource `exec`.

The first byte of each message is its channel: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 terminal size. 255
closes the channel in the second byte (`v5.channel.k8s.io`, KEP-4006, Kubernetes 1.30).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from seatrial.adapters.websocket import HandshakeRefused, WebSocket
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.ports import Completed, StreamBroken

__all__ = ["ApiPodExec"]

_V5: Final = "v5.channel.k8s.io"
_V4: Final = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_CHUNK: Final = 512 * 1024
_SILENCE: Final = 3600.0
"""Seconds without output after which an interactive command is disconnected."""

_LARGEST: Final = 64 << 20
"""Limit in bytes for the output of a command: a list of 500,000 files is smaller."""
_TAIL: Final = 1 << 16
"""Bytes of the end of stderr that an error shows."""

Connect = Callable[..., WebSocket]


class ApiPodExec:
    """Commands in one pod.

    Args:
        connect: opens a WebSocket to a path of the API, as `KubeApi.websocket` does.
        path: API path of the pod.
    """

    def __init__(self, connect: Connect, path: str) -> None:
        self._connect = connect
        self._path = path

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        """Run a command and wait until it exits.

        Raises:
            StreamBroken: the connection was lost; the command may have run.
            OutOfTime: the command took longer than `timeout` seconds; it may still run.
            EnvironmentFailed: the API refuses the command, for example because the container is not running.
        """
        web = self._open(argv, container, silence=timeout, stdin=bool(stdin))
        return _RunningCommand(web, argv, container, timeout).finish(stdin)

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> _RunningCommand:
        """Start a command that waits for its input; after the input it has `timeout` seconds.

        Raises:
            StreamBroken: the connection was lost.
            EnvironmentFailed: the API refuses the command.
        """
        return _RunningCommand(self._open(argv, container, silence=timeout, stdin=True), argv, container, timeout)

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        """Yield the stdout of a command until it exits with 0. Its stdin is closed when the connection ends.

        Args:
            argv: the command.
            container: container of the command.
            silence: seconds without output after which the connection counts as lost.

        Raises:
            StreamBroken: the connection was lost, or the command failed.
            EnvironmentFailed: the API refuses the command.
        """
        web = self._open(argv, container, silence=silence, stdin=True)
        errors = bytearray()
        try:
            for channel, data in _messages(web):
                if channel == _STDOUT:
                    yield data
                elif channel == _STDERR:
                    errors += data
                    del errors[:-_TAIL]
                elif code := _exit_code(json.loads(data)):
                    raise StreamBroken(
                        f"{argv[0]} failed with exit code {code}: {errors.decode(errors='replace').strip()}"
                    )
                else:
                    return
        finally:
            web.close()
        raise StreamBroken("the command's exit status was lost")

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Run a command in the terminal of this process; return its exit code.

        Raises:
            StreamBroken: the connection was lost.
            EnvironmentFailed: the API refuses the command.
        """
        from seatrial.adapters.pod_terminal import attach_terminal  # noqa: PLC0415 - for `--pdb` only

        web = self._open(argv, container, silence=_SILENCE, stdin=True, tty=True)
        try:
            return _exit_code(json.loads(attach_terminal(web)))
        finally:
            web.close()

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Run a command without input, copy its output to stdout and stderr of this process; return its exit code.

        Raises:
            StreamBroken: the connection was lost.
            EnvironmentFailed: the API refuses the command.
        """
        web = self._open(argv, container, silence=_SILENCE, stdin=False)
        targets = {_STDOUT: sys.stdout.buffer, _STDERR: sys.stderr.buffer}
        try:
            for channel, data in _messages(web):
                if channel == _STATUS:
                    return _exit_code(json.loads(data))
                targets[channel].write(data)
                targets[channel].flush()
        finally:
            web.close()
        raise StreamBroken("the command's exit status was lost")

    def _open(
        self, argv: Sequence[str], container: str, *, silence: float, stdin: bool, tty: bool = False
    ) -> WebSocket:
        query = [("command", argument) for argument in argv]
        query += [("container", container), ("stdout", "true")]
        # With a terminal, stdout has both outputs.
        query.append(("tty", "true") if tty else ("stderr", "true"))
        if stdin:
            query.append(("stdin", "true"))
        try:
            return self._connect(f"{self._path}/exec?{urlencode(query)}", (_V5, _V4), silence=silence)
        except HandshakeRefused as refused:
            raise EnvironmentFailed(
                f"cannot run {argv[0]} in container {container}", reason=_message(refused), hint="seatrial status"
            ) from refused


class _RunningCommand:
    """A command that was started; see `seatrial.ports.Started`."""

    def __init__(self, web: WebSocket, argv: Sequence[str], container: str, timeout: float) -> None:
        self._web = web
        self._argv = tuple(argv)
        self._container = container
        self._timeout = timeout

    def is_waiting(self) -> bool:
        """Whether the command waits for its input: it has neither exited nor printed anything."""
        try:
            while message := self._web.receive(wait=False):
                # An API server opens each channel with a message of one byte.
                if len(message) > 1:
                    return False
        except StreamBroken:
            return False
        return message is not None

    def finish(self, stdin: bytes) -> Completed:
        """Send the input and wait until the command exits. Raises what `run` raises."""
        deadline = Deadline.after(self._timeout)
        late = f"{self._argv[0]} in container {self._container} timed out after {self._timeout:.0f} s"
        output: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: []}
        kept = 0
        try:
            if stdin:
                _feed(self._web, stdin)
            for channel, data in _messages(self._web):
                if channel == _STATUS:
                    return Completed(
                        argv=self._argv,
                        code=_exit_code(json.loads(data)),
                        stdout=b"".join(output[_STDOUT]),
                        stderr=b"".join(output[_STDERR]),
                    )
                output[channel].append(data)
                kept += len(data)
                if kept > _LARGEST:
                    raise EnvironmentFailed(f"{self._argv[0]} printed more than {_LARGEST >> 20} MiB")
                if deadline.passed:
                    raise OutOfTime(late)
        except StreamBroken:
            if deadline.passed:
                raise OutOfTime(late) from None
            raise
        finally:
            self.close()
        raise StreamBroken("the command's exit status was lost")

    def close(self) -> None:
        """Disconnect; the command reads the end of its input."""
        self._web.close()


def _feed(web: WebSocket, stdin: bytes) -> None:
    if web.subprotocol != _V5:
        raise EnvironmentFailed(
            "the API server cannot close the input of a command",
            reason=f"it does not support {_V5}",
            hint="upgrade the cluster to Kubernetes 1.30 or newer",
        )
    for start in range(0, len(stdin), _CHUNK):
        web.send(bytes((_STDIN,)) + stdin[start : start + _CHUNK])
    web.send(bytes((_CLOSE, _STDIN)))


def _messages(web: WebSocket) -> Iterator[tuple[int, bytes]]:
    while (message := web.receive()) is not None:
        if len(message) > 1 and message[0] in (_STDOUT, _STDERR, _STATUS):
            yield message[0], message[1:]


def _exit_code(status: dict[str, Any]) -> int:
    """Return the exit code of a Status: https://github.com/kubernetes/kubernetes/blob/v1.34.0/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go."""
    if status.get("status") == "Success":
        return 0
    if status.get("reason") == "NonZeroExitCode":
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
    raise EnvironmentFailed("the command could not be run in the pod", reason=str(status.get("message", "")))


def _message(refused: HandshakeRefused) -> str:
    try:
        return str(json.loads(refused.body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(refused)
