"""Merge the watches of several kinds and namespaces into one snapshot, and bound single watches by a deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from seatrial.model.deadline import Deadline
from seatrial.ports import Change, Kube, Watch
from seatrial.readiness.snapshot import Ref, Snapshot

__all__ = ["WatchSet", "bounded_watch", "list_snapshot"]


def list_snapshot(kube: Kube, kinds: Iterable[str], namespaces: Iterable[str]) -> Snapshot:
    """Return the objects that exist now, by one list request for each kind and namespace."""
    snapshot = Snapshot()
    every = tuple(kinds)
    for namespace in namespaces:
        for kind in every:
            snapshot.take(kind, namespace, Change(type="synced", objects=tuple(kube.objects(kind, namespace))))
    return snapshot


@contextmanager
def bounded_watch(watch: Watch, deadline: Deadline) -> Iterator[Watch]:
    """Yield a watch that is closed at the end of the block or at the deadline."""
    timer = threading.Timer(deadline.left, watch.close)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        watch.close()


class WatchSet:
    """One snapshot of several kinds in several namespaces, kept up to date until `close` or the end of a `with` block.

    Attributes:
        snapshot: the objects seen so far; only `wait` changes it, so one thread reads it without locks.
    """

    def __init__(self, kube: Kube, kinds: Iterable[str], namespaces: Iterable[str]) -> None:
        self.snapshot = Snapshot()
        self._concerned: set[Ref] = set()
        self._changes: queue.Queue[tuple[str, str, Change] | BaseException] = queue.Queue()
        self._watches: list[Watch] = []
        self._unsynced: set[tuple[str, str]] = set()
        for namespace in namespaces:
            for kind in kinds:
                watch = kube.watch(kind, namespace)
                self._watches.append(watch)
                self._unsynced.add((kind, namespace))
                threading.Thread(target=self._follow, args=(watch, kind, namespace), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def synced(self) -> bool:
        """Whether every kind was listed once: until then an object missing from the snapshot may exist."""
        return not self._unsynced

    def wait(self, seconds: float) -> list[Change]:
        """Apply all pending changes to the snapshot and return them.

        Args:
            seconds: how long to wait for the first change if none is pending.

        Raises:
            SeatrialError: a watch failed for good.
        """
        taken = []
        try:
            item = self._changes.get(timeout=max(0.0, seconds))
            while True:
                if isinstance(item, BaseException):
                    raise item
                kind, namespace, change = item
                self._concerned |= self.snapshot.take(kind, namespace, change)
                self._unsynced.discard((kind, namespace))
                taken.append(change)
                item = self._changes.get_nowait()
        except queue.Empty:
            return taken

    def concerned(self) -> set[Ref]:
        """Return the workloads that changes since the last call concern."""
        concerned, self._concerned = self._concerned, set()
        return concerned

    def close(self) -> None:
        """Close all watches."""
        for watch in self._watches:
            watch.close()

    def _follow(self, watch: Watch, kind: str, namespace: str) -> None:
        try:
            for change in watch:
                self._changes.put((kind, namespace, change))
        except BaseException as error:  # noqa: BLE001 - raised by `wait` in its caller's thread
            self._changes.put(error)
