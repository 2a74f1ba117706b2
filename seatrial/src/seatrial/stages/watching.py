"""Watches of several kinds at once, brought together in one snapshot."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from seatrial.model.deadline import Deadline
from seatrial.ports import Change, Kube, Watch
from seatrial.readiness.snapshot import Snapshot

__all__ = ["WatchSet", "closing"]


@contextmanager
def closing(watch: Watch, deadline: Deadline) -> Iterator[Watch]:
    """Give a watch that ends with the block, or at the deadline."""
    timer = threading.Timer(deadline.left, watch.close)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        watch.close()


class WatchSet:
    """One snapshot of several kinds in several namespaces, kept up to date until it is closed.

    Attributes:
        snapshot: what is known; it changes in `wait` only, so one thread sees it without locks.
    """

    def __init__(self, kube: Kube, kinds: Iterable[str], namespaces: Iterable[str]) -> None:
        self.snapshot = Snapshot()
        self._changes: queue.Queue[tuple[str, str, Change] | BaseException] = queue.Queue()
        self._watches: list[Watch] = []
        self._unsynced: set[tuple[str, str]] = set()
        for namespace in namespaces:
            for kind in kinds:
                watch = kube.watch(kind, namespace)
                self._watches.append(watch)
                self._unsynced.add((kind, namespace))
                threading.Thread(target=self._follow, args=(watch, kind, namespace), daemon=True).start()

    @property
    def synced(self) -> bool:
        """Whether every kind was seen once: until then an object that is missing may be there."""
        return not self._unsynced

    def wait(self, seconds: float) -> list[Change]:
        """Take all changes there are; without any, wait for the first one, at most so long.

        Raises:
            SeatrialError: a watch broke for good.
        """
        taken = []
        try:
            item = self._changes.get(timeout=max(0.0, seconds))
            while True:
                if isinstance(item, BaseException):
                    raise item
                kind, namespace, change = item
                self.snapshot.take(kind, namespace, change)
                self._unsynced.discard((kind, namespace))
                taken.append(change)
                item = self._changes.get_nowait()
        except queue.Empty:
            return taken

    def close(self) -> None:
        """End all watches."""
        for watch in self._watches:
            watch.close()

    def _follow(self, watch: Watch, kind: str, namespace: str) -> None:
        try:
            for change in watch:
                self._changes.put((kind, namespace, change))
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            self._changes.put(error)
