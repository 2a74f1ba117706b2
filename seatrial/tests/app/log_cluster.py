"""Pods with logs, and a cluster that prints them."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.model.spec import Project, RunnerSpec, ServiceSpec
from seatrial.ports import Change

PROJECT = Project(
    root=Path("/project"),
    runner=RunnerSpec(image="x:1", namespace="shop"),
    service={"web": ServiceSpec(port=80), "db": ServiceSpec(port=5432, name="postgresql", namespace="data")},
)


def pod(name: str, *, namespace: str = "shop", owner: str = "", containers: tuple[str, ...] = ("app",), **more: Any):
    owners = [{"kind": "StatefulSet", "name": owner, "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": owners, **more},
        "spec": {"containers": [{"name": each} for each in containers], "initContainers": [{"name": "init"}]},
        "status": {
            "containerStatuses": [
                {"name": each, "containerID": f"{name}-{each}-1", "state": {"running": {}}} for each in containers
            ]
        },
    }


PODS = [
    pod("web-0", owner="web", containers=("app", "proxy")),
    pod("pg-0", namespace="data", owner="pg", labels={"app": "pg"}),
    pod("test-runner", containers=("tests", "keeper")),
]


class Cluster:
    """A cluster whose pods print what a test puts in `printed`, until it puts None in `changes`."""

    def __init__(self, services: dict[tuple[str, str], dict[str, str]] | None = None) -> None:
        self.services = services or {}
        self.changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self.printed: dict[str, list[bytes]] = {}
        self.limits: dict[str, dict[str, Any]] = {}
        self.closed: list[str] = []

    def get(self, kind: str, name: str, namespace: str = "") -> Any:
        selector = self.services.get((namespace, name))
        return None if selector is None else {"spec": {"selector": selector}}

    def watch(self, kind: str, namespace: str = "") -> Any:
        return Endless(iter(self.changes.get, None), lambda: self.closed.append("watch"))

    def follow(self, name: str, namespace: str, container: str, **limits: Any) -> Any:
        source = f"{name}/{container}"
        self.limits[source] = limits
        return Endless(iter(self.printed.get(source, [])), lambda: self.closed.append(source))


class Endless:
    def __init__(self, items: Iterator[Any], close: Any) -> None:
        self.items = items
        self.close = close

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item
