"""Read the memory and CPU counters of this container, and terminate its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time

__all__ = [
    "adopt_orphans",
    "cpu_seconds",
    "end_children",
    "kill_children",
    "memory_limit",
    "memory_peak",
    "oom_kills",
]

_V1 = "/sys/fs/cgroup/memory"
_V1_CPU = "/sys/fs/cgroup/cpuacct"
_V2 = "/sys/fs/cgroup"
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def oom_kills() -> int:
    """Return the number of processes of this container that the kernel killed for memory."""
    for path in (f"{_V2}/memory.events", f"{_V1}/memory.oom_control"):
        for line in _read(path).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def memory_peak() -> int:
    """Return the peak memory usage of this container in bytes; 0 if unknown."""
    return _number(f"{_V2}/memory.peak") or _number(f"{_V1}/memory.max_usage_in_bytes")


def cpu_seconds() -> float:
    """Return the CPU time of this container since its start, in seconds; 0 if unknown."""
    for line in _read(f"{_V2}/cpu.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / 1e6
    return _number(f"{_V1_CPU}/cpuacct.usage") / 1e9


def memory_limit() -> int:
    """Return the memory limit of the container in bytes; 0 without a limit."""
    limit = _number(f"{_V2}/memory.max") or _number(f"{_V1}/memory.limit_in_bytes")
    return limit if limit < 1 << 60 else 0


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, unless this process is PID 1 and is so already."""
    if os.getpid() == 1:
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_children() -> None:
    """Kill all descendants of this process, without reaping them."""
    _signal(_children(), signal.SIGKILL)


def end_children(grace: float = 0.3) -> None:
    """Terminate and reap all descendants of this process; kill those that remain after `grace` seconds."""
    left = _children()
    if left and grace:
        _signal(left, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while (left := _children()) and time.monotonic() < deadline:
            _reap()
            time.sleep(0.01)
    while left := _children():
        _signal(left, signal.SIGKILL)
        _reap()
        time.sleep(0.005)


def _children() -> list[int]:
    """Return the pids of the living descendants of this process."""
    parents: dict[int, int] = {}
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return []
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # Format: pid (comm) state ppid …; comm may contain any character, including parentheses.
                state, parent = _stat(name)
                if state != "Z":
                    parents[int(name)] = parent
    own, found = os.getpid(), []
    for pid, parent in parents.items():
        above = parent
        while above in parents and above != own:
            above = parents[above]
        if above == own:
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
