"""Extract the start and end time of pytest's process in the pod from the suite's output. Pure.

Pods of kind share the kernel's clock with the host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CONFTEST", "Lifetime", "lifetime_in"]

# Appended to the conftest.py of the measured suite. The start time is the kernel's (proc_pid_stat(5), field 22), to
# include the start of the interpreter. The end also includes the interpreter's cleanup: another process reports it when
# a pipe that pytest's process holds is closed.
CONFTEST = """

def _report_start_and_end() -> None:
    import atexit
    import os
    import subprocess
    import sys
    import time
    from pathlib import Path

    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    program = (
        "import signal, sys, time\\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
        "sys.stdin.read()\\n"
        f"print(f'\\\\nbenchmark: lived {time.time() - age:.3f} {{time.time():.3f}}', file=sys.stderr, flush=True)"
    )

    def watch() -> None:
        # Not before: pytest catches what is printed. The pipe is closed by the kernel, when nothing is left of us.
        read, _ = os.pipe()
        argv = [sys.executable, "-IS", "-c", program]
        watcher = subprocess.Popen(argv, stdin=read, stderr=sys.__stderr__, start_new_session=True)
        watcher.returncode = 0  # no other code waits for it

    atexit.register(watch)


_report_start_and_end()
"""

_LIVED = re.compile(r"^benchmark: lived (\d+\.\d+) (\d+\.\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The lifetime of a process, in seconds since the epoch."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.ended - self.began


def lifetime_in(text: str) -> Lifetime:
    """Return the lifetime of the one process that reported it in its output.

    Raises:
        ValueError: no process, or several ones, reported it.
    """
    found = _LIVED.findall(text)
    if len(found) != 1:
        raise ValueError(f"{len(found)} processes reported their lifetime, expected one")
    return Lifetime(float(found[0][0]), float(found[0][1]))
