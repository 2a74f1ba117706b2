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
from typing import Final, NamedTuple

from seatrial.collection.redacted_objects import without_secrets
from seatrial.diagnose.rules.objects import container_statuses
from seatrial.model.errors import SeatrialError
from seatrial.model.redaction import SECRETS
from seatrial.ports import Kube, Object
from seatrial.runner import blocking_calls
from seatrial.watching.log_files import LogFiles
from seatrial.watching.recorder import ClusterRecorder

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

_TAIL: Final = 1000
"""Last lines of a log that was cut, which are read after a failure."""


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
    kube: Kube,
    namespaces: Sequence[str],
    run_dir: Path,
    *,
    since: int | None,
    bundle: Path | None,
    idle_limit: float,
    recorder: ClusterRecorder | None = None,
) -> Collected:
    """Write the logs of all containers, and their objects if there is a `bundle` directory to write to.

    Logs and objects that cannot be read are left out. Logs that the recorder followed are not read again.

    Args:
        kube: the cluster's API.
        namespaces: where to look for pods and objects.
        run_dir: directory of the run; logs are written below `logs/pods`.
        since: seconds; older log lines are left out. None: all lines.
        bundle: directory for the objects; None: no objects are written.
        idle_limit: seconds without a file read after which the rest is left out.
        recorder: the stopped recorder of the run.

    Raises:
        Exception: any error of a reader that is not a SeatrialError.
    """
    if recorder is not None and recorder.is_complete and bundle is None:
        return Collected(recorder.logs.count, complete=True, sizes=recorder.logs.sizes())
    collection = _Collection(kube, namespaces, run_dir, since=since, bundle=bundle, recorder=recorder)
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
        self,
        kube: Kube,
        namespaces: Sequence[str],
        run_dir: Path,
        *,
        since: int | None,
        bundle: Path | None,
        recorder: ClusterRecorder | None,
    ) -> None:
        self._kube = kube
        self._namespaces = namespaces
        self._run_dir = run_dir
        self._since = since
        self._bundle = bundle
        self._recorder = recorder
        self._files = recorder.files if recorder else LogFiles(run_dir)
        self._lock = threading.Lock()
        self._problems: list[Exception] = []
        self.logs = recorder.logs.count if recorder else 0
        self.sizes: dict[tuple[str, str], int] = recorder.logs.sizes() if recorder else {}
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
            if not self._is_followed(container):
                jobs.put(partial(self._write_log, container))
            elif self._bundle is not None and self._is_cut(container):
                jobs.put(partial(self._write_log, container, tail=_TAIL))
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

    def _is_followed(self, container: _Container) -> bool:
        if self._recorder is None:
            return False
        followed = self._recorder.logs
        return followed.covers(container.uid, container.name, container.restarts, whole=self._since is None)

    def _is_cut(self, container: _Container) -> bool:
        if self._recorder is None:
            return False
        return self._recorder.logs.is_cut(container.uid, container.name, container.restarts)

    def _write_log(self, container: _Container, tail: int | None = None) -> bool:
        """Write a log, or its last lines to a file beside it; return whether this created a file."""
        pod, namespace, previous = container.pod, container.namespace, container.previous
        try:
            text = self._kube.logs(
                pod, namespace, container.name, tail=tail, previous=previous, since=self._since, timestamps=True
            )
        except SeatrialError:
            return False
        if not previous and tail is None:
            self.sizes[pod, container.name] = len(text)
        if not text:
            return False
        path = self._run_dir / self._files.path(namespace, pod, container.uid, container.name, container.restarts)
        if tail is not None:
            path = path.with_suffix(".end.log")
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRETS.data(text))
        return is_new

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


class _Container(NamedTuple):
    """One run of a container: the current one, or the one before (`previous`)."""

    namespace: str
    pod: str
    uid: str
    name: str
    restarts: int
    previous: bool


def _containers(pods: list[Object]) -> Iterator[_Container]:
    for pod in pods:
        meta = pod["metadata"]
        names = meta["namespace"], meta["name"], meta.get("uid", "")
        for each in container_statuses(pod):
            restarts = int(each.get("restartCount") or 0)
            yield _Container(*names, each["name"], restarts, previous=False)
            if restarts:
                yield _Container(*names, each["name"], restarts - 1, previous=True)
