"""Measure what one change of a pod costs seatrial, without a cluster: `python -m benchmarks.changes`.

Deployments with two pods each are ready; then single pods change. One change is judged by the monitor that waits for
workloads, and recorded by the recorder.
"""

from __future__ import annotations

import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from seatrial.model.timeline import encode_record
from seatrial.ports import Change, Kube, Object
from seatrial.watching.object_records import ObjectRecords
from seatrial.watching.workload_monitor import WorkloadMonitor

__all__ = ["main"]

_SIZES: Final = (10, 50, 200)
_PODS: Final = 2
_CHANGES: Final = 200
_GOAL: Final = 5.0
"""Milliseconds for one change at the largest size."""


def main() -> int:
    """Print milliseconds for each size; return 1 if the goal is missed."""
    print(f"{'Deployments':>12} {'pods':>6} {'judge':>9} {'record':>9}   median of one change")
    last = 0.0
    for size in _SIZES:
        judged, recorded = _judge(size), _record(size)
        last = judged + recorded
        print(f"{size:>12} {size * _PODS:>6} {judged:>6.2f} ms {recorded:>6.2f} ms")
    print(f"goal: {_GOAL:g} ms at {_SIZES[-1]} Deployments: {'met' if last <= _GOAL else 'missed'}")
    return 0 if last <= _GOAL else 1


def _judge(size: int) -> float:
    kube = _Cluster(size)
    targets = [("Deployment", "shop", f"web-{number}") for number in range(size)]
    with WorkloadMonitor(cast("Kube", kube), targets, emit=lambda _: None, canceled=threading.Event()) as monitor:
        while monitor.poll(0.1):
            pass

        def judge(number: int) -> None:
            kube.change(number)
            monitor.poll(1.0)

        return _median(judge)


def _record(size: int) -> float:
    objects = ObjectRecords(datetime.now(UTC))
    pods = _objects(size)["v1/Pod"]
    objects.take("v1/Pod", "", Change(type="synced", objects=tuple(pods)), datetime.now(UTC))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "timeline.jsonl"

        def record(number: int) -> None:
            change = Change(type="modified", objects=(_changed(pods[number % len(pods)], number),))
            records = objects.take("v1/Pod", "", change, datetime.now(UTC))
            with file.open("ab") as out:
                out.write(b"\n".join(map(encode_record, records)))

        return _median(record)


def _median(step: Callable[[int], object]) -> float:
    samples = []
    for number in range(_CHANGES):
        started = time.perf_counter()
        step(number)
        samples.append(1000 * (time.perf_counter() - started))
    return statistics.median(samples)


class _Watch:
    """Changes that the benchmark sends."""

    def __init__(self, first: Change) -> None:
        self.changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self.changes.put(first)

    def __iter__(self) -> Iterator[Change]:
        while (change := self.changes.get()) is not None:
            yield change

    def close(self) -> None:
        self.changes.put(None)


class _Cluster:
    """An API with ready Deployments, of which only watches are used."""

    def __init__(self, size: int) -> None:
        self._objects = _objects(size)
        self._watches: dict[str, _Watch] = {}

    def watch(self, kind: str, namespace: str = "") -> _Watch:
        del namespace
        self._watches[kind] = _Watch(Change(type="synced", objects=tuple(self._objects.get(kind, ()))))
        return self._watches[kind]

    def change(self, number: int) -> None:
        """Change one pod."""
        pods = self._objects["v1/Pod"]
        change = Change(type="modified", objects=(_changed(pods[number % len(pods)], number),))
        self._watches["v1/Pod"].changes.put(change)


def _changed(pod: Object, number: int) -> Object:
    """Return a pod that was restarted once more."""
    status = {**pod["status"]["containerStatuses"][0], "restartCount": number + 1}
    return {**pod, "status": {**pod["status"], "containerStatuses": [status]}}


def _objects(size: int) -> dict[str, list[Object]]:
    """Return the objects of ready Deployments by kind."""
    kinds: dict[str, list[Object]] = {"apps/v1/Deployment": [], "apps/v1/ReplicaSet": [], "v1/Pod": [], "v1/Event": []}
    for number in range(size):
        name, revision = f"web-{number}", {"deployment.kubernetes.io/revision": "1"}
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), _PODS)
        kinds["apps/v1/Deployment"].append(
            _object("apps/v1", "Deployment", name, annotations=revision)
            | {"spec": {"replicas": _PODS}, "status": {"observedGeneration": 1, **counts}}
        )
        kinds["apps/v1/ReplicaSet"].append(
            _object("apps/v1", "ReplicaSet", f"{name}-abc", owner=("Deployment", name), annotations=revision)
            | {"spec": {"replicas": _PODS}, "status": counts}
        )
        for replica in range(_PODS):
            pod = _pod(f"{name}-abc-{replica}", f"{name}-abc")
            kinds["v1/Pod"].append(pod)
            kinds["v1/Event"].append(
                _object("v1", "Event", f"{pod['metadata']['name']}.1")
                | {
                    "type": "Warning",
                    "reason": "Unhealthy",
                    "involvedObject": {"kind": "Pod", "namespace": "shop", "uid": pod["metadata"]["uid"]},
                }
            )
    return kinds


def _pod(name: str, owner: str) -> Object:
    status = {
        "name": "web",
        "ready": True,
        "restartCount": 0,
        "containerID": f"containerd://{name}",
        "state": {"running": {"startedAt": "2026-01-31T12:00:00Z"}},
    }
    return _object("v1", "Pod", name, owner=("ReplicaSet", owner)) | {
        "spec": {"nodeName": "node", "containers": [{"name": "web", "image": "web:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [status],
        },
    }


def _object(
    api: str, kind: str, name: str, *, owner: tuple[str, str] | None = None, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    meta = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{kind}-{name}",
        "generation": 1,
        "labels": {"pod-template-hash": "abc"},
        "annotations": annotations or {},
        "ownerReferences": owners,
    }
    return {"apiVersion": api, "kind": kind, "metadata": meta}


if __name__ == "__main__":
    raise SystemExit(main())
