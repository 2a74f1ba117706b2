"""Report the progress of steps: running steps, their duration, and the estimated time left.

A terminal shows one line that is rewritten. A log gets a line when a step starts, ends or takes long.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TextIO

REFRESH = 0.5  # seconds between two updates of the live line
REMINDER = 60.0  # seconds between two lines about the same steps in a log


def duration(seconds: float) -> str:
    """Format a duration: 0.4 s, 12 s, 3:07."""
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def size(count: int) -> str:
    """Format a number of bytes as MB."""
    return f"{count / 1e6:.0f} MB"


class Progress:
    """Running and pending steps. Thread-safe.

    Args:
        expected: step -> usual duration in seconds; the estimate of the time left is based on it.
        stream: the output; default standard error, because results belong on standard output.
        reminder: seconds between two lines about the same steps in a log.
    """

    def __init__(
        self, expected: Mapping[str, float], stream: TextIO | None = None, *, reminder: float = REMINDER
    ) -> None:
        self._reminder = reminder
        self._expected = dict(expected)
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._lock = threading.RLock()
        self._started: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._done: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._erase()

    def say(self, text: str) -> None:
        """Print a permanent line."""
        with self._lock:
            self._erase()
            print(text, file=self._stream, flush=True)

    def start(self, step: str, activity: str = "") -> None:
        """Record the start of a step."""
        with self._lock:
            self._started[step] = time.monotonic()
            if not self._live:
                self.say(f"  {step}: {activity or 'started'}")

    def note(self, step: str, note: str) -> None:
        """Show a note, such as a count, beside a running step."""
        with self._lock:
            self._notes[step] = note

    def end(self, step: str, outcome: str) -> None:
        """Record the end of a step. `outcome` is a past participle, such as "built"."""
        with self._lock:
            took = time.monotonic() - self._started.pop(step, time.monotonic())
            self._done.add(step)
            total = len(self._expected)
            self.say(f"  {step}: {outcome} ({duration(took)}) [{len(self._done & self._expected.keys())}/{total}]")

    def line(self) -> str:
        """Format the running and pending steps as one line."""
        with self._lock:
            now = time.monotonic()
            running = [self._running(step, now - at) for step, at in self._started.items()]
            waiting = [step for step in self._expected if step not in self._done and step not in self._started]
            left = sum(self._expected[step] for step in waiting)
            left += max((self._expected.get(step, 0) - (now - at) for step, at in self._started.items()), default=0)
        parts = [", ".join(running) or "waiting"]
        if waiting:
            parts.append(f"then {len(waiting)} more: {', '.join(waiting)}")
        if left > REMINDER:
            parts.insert(1, f"about {round(left / 60)} min left")
        return " · ".join(parts)

    def _running(self, step: str, seconds: float) -> str:
        note = self._notes.get(step, "")
        return f"{step} {note}, {duration(seconds)}" if note else f"{step} {duration(seconds)}"

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(REFRESH):
            with self._lock:
                if not self._started:
                    continue
                if self._live:
                    width = shutil.get_terminal_size().columns - 1
                    self._stream.write(f"\r\033[K{self.line()[:width]}")
                    self._stream.flush()
                elif time.monotonic() - last > self._reminder:
                    last = time.monotonic()
                    self.say(f"  {self.line()}")

    def _erase(self) -> None:
        if self._live:
            self._stream.write("\r\033[K")
            self._stream.flush()
