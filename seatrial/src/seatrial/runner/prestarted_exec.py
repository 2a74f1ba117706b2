"""Start the command that submits a run to the agent while earlier stages still run, to save its start-up time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Final

from seatrial.model.errors import SeatrialError
from seatrial.ports import PodExec, Started, StreamBroken
from seatrial.runner.agent_files import agent_argv

__all__ = ["PrestartedExec"]

_TIMEOUT: Final = 60.0
_TAKE_SECONDS: Final = 1.0
"""Seconds to wait for the command; starting another one takes less."""


class PrestartedExec:
    """A command `submit` of the agent that waits in the pod for its input: the files and the run.

    Connection, process and interpreter take a tenth of a second. The command changes nothing before it gets its input,
    so it can be abandoned at any time. Its errors are not reported: then the caller of `take` starts a command itself.

    Args:
        exec_: commands in the pod.
    """

    def __init__(self, exec_: PodExec) -> None:
        self._exec = exec_
        self._future: Future[Started | None] = Future()
        self._taken = False
        threading.Thread(target=self._start, name="seatrial-prestarted-exec", daemon=True).start()

    def take(self) -> Started | None:
        """Return the command if it waits for its input; None, also at the second call, if not."""
        if self._taken:
            return None
        try:
            started = self._future.result(_TAKE_SECONDS)
        except TimeoutError:
            self.abandon()
            return None
        self._taken = True
        if started is None or started.is_waiting():
            return started
        started.close()
        return None

    def abandon(self) -> None:
        """Close the command: its pod is deleted, or there is no run."""
        if not self._taken:
            self._taken = True
            self._future.add_done_callback(_close)

    def _start(self) -> None:
        try:
            self._future.set_result(self._exec.start(agent_argv("submit"), timeout=_TIMEOUT))
        except (SeatrialError, StreamBroken):
            self._future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised by `take`
            self._future.set_exception(error)


def _close(future: Future[Started | None]) -> None:
    if future.exception() is None and (started := future.result()):
        started.close()
