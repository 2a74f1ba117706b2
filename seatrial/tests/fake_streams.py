"""Watches and logs that a test feeds. Implements `ports.Streams`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seatrial.ports import Change, LogRequest, Missed

Take = Callable[[Change | Missed], None]


@dataclass
class FakeLog:
    """One log request: `data` and `ended` are what the recorder passed."""

    request: LogRequest
    data: Callable[[bytes], None]
    ended: Callable[[int, str], None]
    closed: bool = False

    def close(self) -> None:
        self.closed = True


class FakeStreams:
    """Runs functions in the thread of the test: at once, or when `advance` reaches their time.

    Args:
        at_once: run also functions that are for later.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.now = 0.0
        self.later: list[tuple[float, Callable[[], object]]] = []
        self.watches: dict[tuple[str, str], Take] = {}
        self.labels: dict[tuple[str, str], str] = {}
        self.logs: list[FakeLog] = []
        self.error: Exception | None = None
        self.is_running = True

    def call(self, function: Callable[[], object], *, after: float = 0.0) -> None:
        if self.at_once or not after:
            function()
        else:
            self.later.append((self.now + after, function))

    def advance(self, seconds: float) -> None:
        """Run the functions that are due within some seconds, in their order."""
        end = self.now + seconds
        while due := [entry for entry in self.later if entry[0] <= end]:
            entry = min(due, key=lambda each: each[0])
            self.later.remove(entry)
            self.now = entry[0]
            entry[1]()
        self.now = end

    def watch(self, kind: str, namespace: str, *, labels: str = "", take: Take) -> Callable[[], None]:
        self.watches[kind, namespace] = take
        self.labels[kind, namespace] = labels
        return lambda: self.watches.pop((kind, namespace), None) and None

    def log(
        self, request: LogRequest, *, data: Callable[[bytes], None], ended: Callable[[int, str], None]
    ) -> Callable[[], None]:
        self.logs.append(FakeLog(request, data, ended))
        return self.logs[-1].close

    def close(self) -> Exception | None:
        self.is_running = False
        return self.error
