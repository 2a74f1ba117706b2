"""The directory that the pod's containers share, and what lies where in it."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

from .wire import state_directory

__all__ = ["Lock", "read_json", "run_path", "state", "write_json"]


def state(*parts: str) -> str:
    """Return a path in the state directory."""
    return os.path.join(state_directory(), *parts)


def run_path(run: str, *parts: str) -> str:
    """Return a path in the directory of a run."""
    return state("runs", run, *parts)


def write_json(path: str, value: Any) -> None:
    """Write a file that is either whole or not there."""
    temporary = path + ".new"
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(value, file)
    os.replace(temporary, path)


def read_json(path: str) -> Any:
    """Return the content of such a file, or None if it is not there."""
    try:
        with open(path, encoding="ascii") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


class Lock:
    """A lock that the kernel gives up when its holder dies, seen by every container on the same volume.

    Attributes:
        fd: of the open file, -1 while it is not held.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1

    def take(self, *, wait: bool = False) -> bool:
        """Take it, or return False if somebody else has it and we are not to wait."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            os.close(fd)
            return False
        self.fd = fd
        return True

    def release(self) -> None:
        """Give it up."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def held(self) -> bool:
        """Return whether anybody has it."""
        if self.take():
            self.release()
            return False
        return True
