"""Read the clock, the free memory and disk, and the free ports of this machine."""

from __future__ import annotations

import shutil
import socket
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

__all__ = ["MemoryPeak", "SystemClock", "available_memory", "followed_logs", "free_disk", "port_is_free"]

_MEMINFO: Final = Path("/proc/meminfo")
_INTERVAL: Final = 0.5
_INOTIFY: Final = Path("/proc/sys/fs/inotify/max_user_instances")
_NODES: Final = 96
"""inotify instances that nodes and containers of a few clusters take themselves."""

_FEWEST: Final = 16
_MOST: Final = 64


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        """Return the wall clock time, with its offset from UTC."""
        return datetime.now().astimezone()


class MemoryPeak:
    """Sample the memory in use twice a second until `close`. Without /proc, `bytes` is 0."""

    def __init__(self) -> None:
        self._start = self._lowest = available_memory()
        self._end = threading.Event()
        if self._start:
            threading.Thread(target=self._sample, daemon=True).start()

    @property
    def bytes(self) -> int:
        """Peak of the memory in use since the start, in bytes above that of the start."""
        return max(0, self._start - self._lowest)

    def close(self) -> None:
        """Stop sampling."""
        self._end.set()

    def _sample(self) -> None:
        while not self._end.wait(_INTERVAL):
            if available := available_memory():
                self._lowest = min(self._lowest, available)


def followed_logs() -> int:
    """Return how many logs of containers on this machine may be followed at a time.

    A kubelet takes an inotify instance for each. All nodes and containers of root share those of the kernel, by default
    128; without one, nodes and services fail. In a virtual machine of Docker the number is unknown.
    """
    try:
        instances = int(_INOTIFY.read_text())
    except (OSError, ValueError):
        return _FEWEST
    return min(_MOST, max(_FEWEST, (instances - _NODES) // 2))


def port_is_free(address: str, port: int) -> bool:
    """Return whether a process can listen on a TCP port of this machine."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def available_memory() -> int:
    """Return the bytes of memory that programs can use without swapping; 0 without /proc."""
    try:
        text = _MEMINFO.read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def free_disk(path: Path) -> int | None:
    """Return the bytes that a user can still write to the file system of a path; None if it cannot be read."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
