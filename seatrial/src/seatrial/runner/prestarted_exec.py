"""The pod's side of a run, started while it is still being asked whether all else is as it was."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Final

from seatrial.model.errors import SeatrialError
from seatrial.ports import PodExec, Started, StreamBroken
from seatrial.runner.agent_files import agent_argv

__all__ = ["PrestartedExec"]

_TIMEOUT: Final = 60.0
_PATIENCE: Final = 1.0
"""Seconds to wait for one that should be there by now: to do the same again takes less than that."""


class PrestartedExec:
    """The agent's command that takes files and a run, on its way to where it waits for both.

    To get there takes a tenth of a second: a connection, a process in the container, an interpreter. It changes nothing
    before it has its input, so that it can be left at any time. None of its errors is told: who would have taken it
    does the same by themselves then, and has errors of their own.

    Args:
        exec_: commands in the pod.
    """

    def __init__(self, exec_: PodExec) -> None:
        self._exec = exec_
        self._future: Future[Started | None] = Future()
        self._taken = False
        threading.Thread(target=self._start, name="seatrial-prestarted-exec", daemon=True).start()

    def take(self) -> Started | None:
        """Return the command if it waits for its input; the first time only."""
        if self._taken:
            return None
        try:
            started = self._future.result(_PATIENCE)
        except TimeoutError:
            self.leave()
            return None
        self._taken = True
        if started is None or started.is_waiting():
            return started
        started.close()
        return None

    def leave(self) -> None:
        """Do without: its pod goes, or no run comes of this."""
        if not self._taken:
            self._taken = True
            self._future.add_done_callback(_close)

    def _start(self) -> None:
        try:
            self._future.set_result(self._exec.start(agent_argv("submit"), timeout=_TIMEOUT))
        except (SeatrialError, StreamBroken):
            self._future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the command would have been taken
            self._future.set_exception(error)


def _close(future: Future[Started | None]) -> None:
    if future.exception() is None and (started := future.result()):
        started.close()
