"""Workloads judged while they change."""

from __future__ import annotations

import threading

from seatrial.model.event import Note
from seatrial.ports import Object
from seatrial.watching.workload_monitor import WorkloadMonitor, all_ready_now
from shop_world import (
    running,
)


class TestBlockedStatefulSet:
    def test_broken_pod_with_an_older_template_is_recreated_once(self, world):
        stateful: Object = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "shop", "generation": 2},
            "spec": {},
            "status": {"observedGeneration": 2, "updateRevision": "db-new"},
        }
        world.kube.put(stateful)
        running(world, "db-0", "x")
        world.kube.get("v1/Pod", "db-0", "shop")["metadata"]["labels"] = {"controller-revision-hash": "db-old"}
        done = {**stateful, "status": {**stateful["status"], "readyReplicas": 1, "currentRevision": "db-new"}}
        world.kube.then["apps/v1/StatefulSet"] = []
        target = ("StatefulSet", "shop", "db")
        with WorkloadMonitor(world.kube, [target], emit=world.recorded, canceled=threading.Event()) as monitor:
            assert len(monitor.poll()) == 1
            assert len(monitor.poll(0.01)) == 1

        assert world.kube.deleted == [("v1/Pod", "shop", "db-0")], "once"
        assert "recreating" in world.recorded.of(Note)[0].text
        world.kube.put(done)
        assert all_ready_now(world.kube, [target], world.recorded)
