"""How long each stage took, how much memory the run needed, how large its images are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flow.commands import say

MEMORY_LIMIT = 4 * 10**9
IMAGES_LIMIT = 10 * 10**9


@dataclass(slots=True)
class Stages:
    """The times of a run; stages may overlap."""

    began: float = field(default_factory=time.monotonic)
    took: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Time a stage; what is appended to the yielded list is said with it when it ends well."""
        notes: list[str] = []
        start = time.monotonic()
        try:
            yield notes
        except Exception:
            self.took[name] = time.monotonic() - start
            say(f"{name:<10}failed after {self.took[name]:.1f} s")
            raise
        self.took[name] = time.monotonic() - start
        say(f"{name:<10}{self.took[name]:5.1f} s  {', '.join(notes)}".rstrip())

    def total(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began


class Memory:
    """Samples the memory that Linux could still give out; the run's peak is by how much it sank."""

    def __init__(self, meminfo: Path = Path("/proc/meminfo")) -> None:
        self._meminfo = meminfo
        self._stop = threading.Event()
        self._least = self._before = available(meminfo)
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        """Begin to sample, twice a second."""
        if self._before is not None:
            self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            now = available(self._meminfo)
            if now is not None and self._least is not None:
                self._least = min(self._least, now)

    def peak(self) -> int | None:
        """Stop, and return the bytes by which available memory sank at most; None where that cannot be read."""
        self._stop.set()
        return None if self._before is None or self._least is None else max(0, self._before - self._least)


def available(meminfo: Path) -> int | None:
    """Return the bytes that new programs could get without swapping; None off Linux (proc_meminfo(5))."""
    try:
        text = meminfo.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def against(limit: int, size: int | None) -> str:
    """Say a size in GB and whether it keeps its limit."""
    if size is None:
        return "not measured here"
    verdict = "within" if size <= limit else "OVER"
    return f"{size / 10**9:.1f} GB, {verdict} {limit / 10**9:.0f} GB"
