from __future__ import annotations

import threading
from typing import Any

import pytest
from seatrial.app.log_following import follow_logs, instances
from seatrial.app.log_selection import select
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Change

from .log_cluster import PODS, PROJECT, Cluster, pod


def test_instances_are_only_of_started_containers():
    it = pod("web-0", containers=("app", "late"))
    it["status"]["containerStatuses"][1] = {"name": "late", "state": {"waiting": {}}}

    assert list(instances(it, ["app", "late"])) == [("shop", "web-0", "app", "web-0-app-1")]
    assert list(instances(it, ["late"])) == []


def follow(cluster: Cluster, capfdbinary: Any, *, alone: bool = False) -> list[str]:
    """Follow until the watch breaks, and return the lines."""
    selection, _ = select(cluster, PROJECT, PODS, "web", "app")  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFailed, match="over"):
        follow_logs(cluster, ["shop"], selection, tail=2, since=None, color=False, alone=alone)  # type: ignore[arg-type]
    printed: bytes = capfdbinary.readouterr().out
    return printed.decode().splitlines()


def test_follow_logs_includes_restarts_and_new_pods(capfdbinary):
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
    assert cluster.limits["web-1/app"] == {}, "logs of new pods are printed whole"
    assert "watch" in cluster.closed
    assert {"web-0/app", "web-1/app"} <= set(cluster.closed)


def test_follow_logs_of_one_source_has_no_prefix(capfdbinary):
    cluster = Cluster()
    cluster.printed = {"web-0/app": [b"one\n"]}
    cluster.changes.put(Change(type="synced", objects=tuple(PODS)))
    threading.Timer(0.5, cluster.changes.put, [EnvironmentFailed("over")]).start()

    assert follow(cluster, capfdbinary, alone=True) == ["one"]
    assert cluster.limits["web-0/app"] == {"tail": 2, "since": None}
