"""Read, write and lock files in the state directory, which the containers of the pod share."""

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
    """Write a JSON file atomically."""
    temporary = path + ".new"
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(value, file)
    os.replace(temporary, path)


def read_json(path: str) -> Any:
    """Return the content of a JSON file; None if it does not exist."""
    try:
        with open(path, encoding="ascii") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


class Lock:
    """A file lock between containers, which the kernel releases when its process ends.

    Attributes:
        fd: descriptor of the open file; -1 while the lock is not held.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1

    def take(self, *, wait: bool = False) -> bool:
        """Take the lock; without `wait`, return False if another process holds it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            os.close(fd)
            return False
        self.fd = fd
        return True

    def release(self) -> None:
        """Release the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def held(self) -> bool:
        """Return whether a process holds the lock."""
        if self.take():
            self.release()
            return False
        return True
