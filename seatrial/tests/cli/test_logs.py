"""Which logs are meant, and how they are followed; over the fake cluster of the stages' tests."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from seatrial.app.log_following import instances, tail_all
from seatrial.app.log_selection import chosen
from seatrial.cli.logs import seconds
from seatrial.model.errors import EnvironmentFailed, UsageError
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
    """Pods that print what the test wants, as long as it wants."""

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


def names(cluster: Cluster, name: str | None, container: str | None = None) -> list[str]:
    meant, found = chosen(cluster, PROJECT, PODS, name, container)  # type: ignore[arg-type]
    return [f"{each['metadata']['name']}/{one}" for each in found for one in meant.containers(each)]


def test_everything_by_default_in_the_order_in_which_containers_start():
    assert names(Cluster(), None)[:3] == ["web-0/init", "web-0/app", "web-0/proxy"]
    assert len(names(Cluster(), None)) == 8


def test_runner_means_what_pytest_prints():
    assert names(Cluster(), "runner") == ["test-runner/tests"]
    assert names(Cluster(), "runner", "keeper") == ["test-runner/keeper"]


def test_a_workload_a_pod_or_a_service_in_its_own_namespace():
    behind = Cluster({("data", "postgresql"): {"app": "pg"}})
    assert names(behind, "web", "app") == names(behind, "web-0", "app") == ["web-0/app"]
    assert names(behind, "db") == ["pg-0/init", "pg-0/app"]


def test_what_is_not_there_is_named_with_what_is():
    with pytest.raises(UsageError, match="nothing is called 'wbe'") as raised:
        names(Cluster(), "wbe")
    assert raised.value.hint == "one of: pg, test-runner, web, runner"
    with pytest.raises(UsageError, match="no container is called 'sidecar'") as raised:
        names(Cluster(), "web", "sidecar")
    assert raised.value.hint == "one of: app, init, proxy"


@pytest.mark.parametrize(("text", "count"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("7", 7)])
def test_durations(text, count):
    assert seconds(text) == count


@pytest.mark.parametrize("text", ["", "m", "1.5h", "-1m", "1h30m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="is no duration"):
        seconds(text)


def test_only_what_has_begun_has_lines():
    it = pod("web-0", containers=("app", "late"))
    it["status"]["containerStatuses"][1] = {"name": "late", "state": {"waiting": {}}}

    assert list(instances(it, ["app", "late"])) == [("shop", "web-0", "app", "web-0-app-1")]
    assert list(instances(it, ["late"])) == []


def follow(cluster: Cluster, capfdbinary: Any, *, alone: bool = False) -> list[str]:
    """Follow until the watch breaks, and return the lines."""
    meant, _ = chosen(cluster, PROJECT, PODS, "web", "app")  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFailed, match="over"):
        tail_all(cluster, ["shop"], meant, tail=2, since=None, color=False, alone=alone)  # type: ignore[arg-type]
    return capfdbinary.readouterr().out.decode().splitlines()


def test_lines_of_restarts_and_of_new_pods_are_followed(capfdbinary):
    cluster = Cluster()
    cluster.printed = {"web-0/app": [b"one\n", b"two"], "web-1/app": [b"three\n"]}
    cluster.changes.put(Change(type="synced", objects=tuple(PODS)))
    restarted = pod("web-0", owner="web")
    restarted["status"]["containerStatuses"][0]["containerID"] = "web-0-app-2"
    cluster.changes.put(Change(type="modified", objects=(restarted,)))
    cluster.changes.put(Change(type="modified", objects=(restarted,)))
    cluster.changes.put(Change(type="added", objects=(pod("web-1", owner="web"),)))
    # The lines have to be read before the end: it may come from another thread sooner.
    threading.Timer(0.5, cluster.changes.put, [EnvironmentFailed("over")]).start()

    lines = follow(cluster, capfdbinary)

    assert sorted(lines) == sorted(["web-0/app | one", "web-0/app | two"] * 2 + ["web-1/app | three"])
    assert cluster.limits["web-1/app"] == {}, "what is new is told whole"
    assert "watch" in cluster.closed
    assert {"web-0/app", "web-1/app"} <= set(cluster.closed)


def test_one_source_alone_has_nothing_before_its_lines(capfdbinary):
    cluster = Cluster()
    cluster.printed = {"web-0/app": [b"one\n"]}
    cluster.changes.put(Change(type="synced", objects=tuple(PODS)))
    threading.Timer(0.5, cluster.changes.put, [EnvironmentFailed("over")]).start()

    assert follow(cluster, capfdbinary, alone=True) == ["one"]
    assert cluster.limits["web-0/app"] == {"tail": 2, "since": None}
