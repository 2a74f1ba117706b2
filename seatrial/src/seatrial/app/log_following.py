"""Follow the logs of the selected containers, including new pods and restarts: `seatrial logs --follow`."""

from __future__ import annotations

import itertools
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from seatrial.model.errors import SeatrialError
from seatrial.model.redaction import SECRETS
from seatrial.runner.decoder import decode_log

if TYPE_CHECKING:
    from seatrial.app.log_selection import Selection
    from seatrial.ports import Kube, Lines, Object, Watch

__all__ = ["follow_logs", "instances"]

_COLORS: Final = (36, 32, 35, 33, 34, 96, 92, 95)
"""ANSI codes: https://en.wikipedia.org/wiki/ANSI_escape_code#Colors"""

Instance = tuple[str, str, str, str]
"""Namespace, pod, container, and the container id, which changes with a restart."""


def instances(pod: Object, names: Sequence[str]) -> Iterator[Instance]:
    """Yield the instances of a pod's containers that have started."""
    from seatrial.diagnose.rules.objects import container_statuses  # noqa: PLC0415 - keeps --help quick

    for each in container_statuses(pod):
        state = each.get("state") or {}
        begun = "running" in state or "terminated" in state
        if each["name"] in names and begun and each.get("containerID"):
            yield pod["metadata"]["namespace"], pod["metadata"]["name"], each["name"], each["containerID"]


def follow_logs(
    kube: Kube,
    namespaces: Sequence[str],
    meant: Selection,
    *,
    tail: int | None,
    since: int | None,
    color: bool,
    alone: bool,
) -> None:
    """Print lines until the process is interrupted or the cluster stops answering.

    Args:
        kube: the cluster's API.
        namespaces: the namespaces of the pods.
        meant: selects pods and containers.
        tail: print only this many of the existing lines of each container.
        since: print only existing lines of the last `since` seconds.
        color: color the prefixes.
        alone: print no prefix, because there is only one source.

    Raises:
        EnvironmentFailed: the cluster stopped answering.
    """
    received: queue.SimpleQueue[tuple[str, bytes] | SeatrialError] = queue.SimpleQueue()
    threads = _LogThreads(kube, meant, received, tail=tail, since=since)
    for namespace in namespaces:
        threads.start(kube.watch("v1/Pod", namespace))
    colors = itertools.cycle(_COLORS)
    prefixes: dict[str, str] = {}
    try:
        while True:
            item = received.get()
            if isinstance(item, SeatrialError):
                raise item
            source, line = item
            if source not in prefixes:
                text = f"\x1b[{next(colors)}m{source}\x1b[0m" if color else source
                prefixes[source] = "" if alone else f"{text} | "
            text = decode_log(SECRETS.data(line.rstrip(b"\n")))
            sys.stdout.write(prefixes[source] + text.replace("\n", "\n" + prefixes[source]) + "\n")
            if received.empty():
                sys.stdout.flush()
    finally:
        threads.close()


class _LogThreads:
    """One thread per namespace that watches its pods, and one per container that reads its lines."""

    def __init__(
        self,
        kube: Kube,
        meant: Selection,
        received: queue.SimpleQueue[tuple[str, bytes] | SeatrialError],
        *,
        tail: int | None,
        since: int | None,
    ) -> None:
        self._kube = kube
        self._meant = meant
        self._received = received
        self._first = {"tail": tail, "since": since}
        self._lock = threading.Lock()
        self._seen: set[Instance] = set()
        self._open: list[Watch | Lines] = []

    def start(self, watch: Watch) -> None:
        """Start to follow the pods of a watch."""
        self._open.append(watch)
        threading.Thread(target=self._watch, args=(watch,), daemon=True).start()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for each in self._open:
                each.close()

    def _watch(self, watch: Watch) -> None:
        try:
            for change in watch:
                limits = self._first if change.type == "synced" else {}
                for pod in change.objects if change.type != "deleted" else ():
                    if self._meant(pod):
                        for instance in instances(pod, self._meant.containers(pod)):
                            self._follow(instance, limits)
        except SeatrialError as error:
            self._received.put(error)

    def _follow(self, instance: Instance, limits: dict[str, int | None]) -> None:
        with self._lock:
            if instance in self._seen:
                return
            self._seen.add(instance)
            namespace, pod, container, _ = instance
            lines = self._kube.follow(pod, namespace, container, **limits)
            self._open.append(lines)
        threading.Thread(target=self._read, args=(f"{pod}/{container}", lines), daemon=True).start()

    def _read(self, source: str, lines: Lines) -> None:
        try:
            for line in lines:
                self._received.put((source, line))
        except SeatrialError as error:
            self._received.put(error)
