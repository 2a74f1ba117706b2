"""When pytest's process began and ended in the pod, told by the suite itself. Pure.

Pods of kind read the same clock as the host: it is the kernel's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CONFTEST", "Life", "life_in"]

# Written behind the conftest.py of the suite that is measured. The time of the start is the kernel's (proc_pid_stat(5),
# field 22), so that the interpreter's own start counts; so does its end, which takes a while with a lot to tidy up: it
# is told by a process that reads a pipe until pytest's holds it no more.
CONFTEST = """

def _tell_when_it_began_and_ended() -> None:
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
        watcher.returncode = 0  # nobody waits for it

    atexit.register(watch)


_tell_when_it_began_and_ended()
"""

_LIVED = re.compile(r"^benchmark: lived (\d+\.\d+) (\d+\.\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Life:
    """A process: its first and last moment, in seconds since the epoch."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it lived."""
        return self.ended - self.began


def life_in(text: str) -> Life:
    """Return the life of the one process that told of it in its output.

    Raises:
        ValueError: none or several did.
    """
    found = _LIVED.findall(text)
    if len(found) != 1:
        raise ValueError(f"{len(found)} processes told when they began and ended, instead of one")
    return Life(float(found[0][0]), float(found[0][1]))
