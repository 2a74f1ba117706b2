"""What the kernel knows about this container: memory, kills, orphans."""

from __future__ import annotations

import contextlib
import os
import signal
import time

__all__ = ["adopt_orphans", "end_children", "kill_children", "memory_limit", "memory_peak", "oom_kills"]

_V1 = "/sys/fs/cgroup/memory"
_V2 = "/sys/fs/cgroup"
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def oom_kills() -> int:
    """Return how many processes of this container the kernel has killed for memory."""
    for path in (f"{_V2}/memory.events", f"{_V1}/memory.oom_control"):
        for line in _read(path).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def memory_peak() -> int:
    """Return the most bytes this container ever had in use; 0 if the kernel does not tell."""
    return _number(f"{_V2}/memory.peak") or _number(f"{_V1}/memory.max_usage_in_bytes")


def memory_limit() -> int:
    """Return the container's limit in bytes; 0 if there is none."""
    limit = _number(f"{_V2}/memory.max") or _number(f"{_V1}/memory.limit_in_bytes")
    return limit if limit < 1 << 60 else 0


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parents die, as PID 1 is anyway."""
    if os.getpid() == 1:
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_children() -> None:
    """Kill all processes below this one. The dead are for the caller to reap."""
    _signal(_children(), signal.SIGKILL)


def end_children(patience: float = 0.3) -> None:
    """End all processes below this one: politely, and those that stay after `patience` seconds by force. Reaps them."""
    left = _children()
    if left and patience:
        _signal(left, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while (left := _children()) and time.monotonic() < deadline:
            _reap()
            time.sleep(0.01)
    while left := _children():
        _signal(left, signal.SIGKILL)
        _reap()
        time.sleep(0.005)


def _children() -> list[int]:
    """Return the living processes below this one, from the list of all."""
    parents: dict[int, int] = {}
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return []
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # pid (comm) state ppid …; comm may hold anything, parentheses too.
                state, parent = _stat(name)
                if state != "Z":
                    parents[int(name)] = parent
    ours, found = os.getpid(), []
    for pid, parent in parents.items():
        above = parent
        while above in parents and above != ours:
            above = parents[above]
        if above == ours:
            found.append(pid)
    return found


def _stat(pid: str) -> tuple[str, int]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[1])


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0
