"""Write container logs, and after a failure Kubernetes objects, from the cluster to the run directory."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from seatrial.collection.redacted_objects import without_secrets
from seatrial.model.errors import SeatrialError
from seatrial.model.redaction import SECRETS
from seatrial.ports import Kube, Object
from seatrial.readiness.pod import container_statuses
from seatrial.runner import blocking_calls

__all__ = ["Collected", "collect"]

_BUNDLE: Final = (
    "v1/Pod",
    "v1/Event",
    "v1/Service",
    "v1/PersistentVolumeClaim",
    "v1/ResourceQuota",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "batch/v1/Job",
    "discovery.k8s.io/v1/EndpointSlice",
)
"""Kinds of each namespace that a bundle contains. No Secrets."""

_READERS: Final = 4


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of a collection.

    Attributes:
        logs: how many log files were written.
        complete: whether everything was read; False if the cluster stopped answering.
        sizes: pod and container to the bytes of its log that were read; containers whose log was not readable are not
            in it.
    """

    logs: int
    complete: bool
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict, compare=False)


def collect(
    kube: Kube, namespaces: Sequence[str], run_dir: Path, *, since: int | None, bundle: Path | None, idle_limit: float
) -> Collected:
    """Write the logs of all containers, and their objects if there is a `bundle` directory to write to.

    Logs and objects that cannot be read are left out.

    Args:
        kube: the cluster's API.
        namespaces: where to look for pods and objects.
        run_dir: directory of the run; logs are written below `logs/pods`.
        since: seconds; older log lines are left out. None: all lines.
        bundle: directory for the objects; None: no objects are written.
        idle_limit: seconds without a file read after which the rest is left out.

    Raises:
        Exception: any error of a reader that is not a SeatrialError.
    """
    collection = _Collection(kube, namespaces, run_dir, since, bundle)
    try:
        blocking_calls.call(collection.run, until=lambda: time.monotonic() - collection.progressed > idle_limit)
    except blocking_calls.Abandoned:
        return Collected(collection.logs, complete=False, sizes=dict(collection.sizes))
    return Collected(collection.logs, complete=True, sizes=collection.sizes)


class _Collection:
    """The files of one run while they are read from the cluster.

    The readers are daemon threads and no executor: the interpreter would wait for an executor's threads at its exit,
    and one may be blocked by a paused node.
    """

    def __init__(
        self, kube: Kube, namespaces: Sequence[str], run_dir: Path, since: int | None, bundle: Path | None
    ) -> None:
        self._kube = kube
        self._namespaces = namespaces
        self._run_dir = run_dir
        self._since = since
        self._bundle = bundle
        self._lock = threading.Lock()
        self._problems: list[Exception] = []
        self.logs = 0
        self.sizes: dict[tuple[str, str], int] = {}
        self.progressed = time.monotonic()

    def run(self) -> None:
        """Read everything."""
        pods = [pod for namespace in self._namespaces for pod in self._kube.objects("v1/Pod", namespace)]
        jobs: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        if self._bundle is not None:
            self._bundle.mkdir(parents=True, exist_ok=True)
            jobs.put(partial(self._write_objects, self._bundle, "v1/Node", ""))
            for namespace in self._namespaces:
                for kind in _BUNDLE:
                    jobs.put(partial(self._write_objects, self._bundle, kind, namespace))
        for container in _containers(pods):
            jobs.put(partial(self._write_log, *container))
        readers = [threading.Thread(target=self._work, args=(jobs,), daemon=True) for _ in range(_READERS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        if self._problems:
            raise self._problems[0]

    def _work(self, jobs: queue.SimpleQueue[Callable[[], bool]]) -> None:
        with suppress(queue.Empty):
            while True:
                job = jobs.get_nowait()
                try:
                    is_log = job()
                    with self._lock:
                        self.logs += is_log
                except Exception as error:  # noqa: BLE001 - raised by the thread that waits
                    self._problems.append(error)
                self.progressed = time.monotonic()

    def _write_log(self, namespace: str, pod: str, container: str, previous: bool) -> bool:
        try:
            text = self._kube.logs(pod, namespace, container, previous=previous, since=self._since)
        except SeatrialError:
            return False
        if not previous:
            self.sizes[pod, container] = len(text)
        if text:
            name = f"{container}{'-previous' if previous else ''}.log"
            path = self._run_dir / "logs" / "pods" / namespace / pod / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SECRETS.data(text))
        return bool(text)

    def _write_objects(self, directory: Path, kind: str, namespace: str) -> bool:
        """Write the objects of a kind; return False, as they are not a log."""
        try:
            objects = self._kube.objects(kind, namespace)
        except SeatrialError:
            # In a shared cluster, seatrial may not be allowed to read every kind.
            return False
        if objects or not namespace:
            name = "nodes" if kind == "v1/Node" else kind.rpartition("/")[2].lower()
            path = directory / namespace / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SECRETS.text(json.dumps([without_secrets(each) for each in objects], indent=1)))
        return False


def _containers(pods: list[Object]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield namespace, pod and container, and whether it means the instance before the last restart."""
    for pod in pods:
        meta = pod["metadata"]
        for each in container_statuses(pod):
            yield meta["namespace"], meta["name"], each["name"], False
            if each.get("restartCount"):
                yield meta["namespace"], meta["name"], each["name"], True
