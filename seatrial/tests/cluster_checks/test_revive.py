"""A kept cluster whose nodes were stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import refused
from seatrial.cluster_checks import revive
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed


def ensure(world):
    return revive.ensure_cluster_answers(
        world.cluster,
        clock=world.clock,
        own_nodes=True,
        namespaces=("shop",),
        deadline=Deadline.after(30),
        progress=list[str]().append,
        hint="the hint",
    )


def test_stopped_cluster_is_started(world, monkeypatch):
    monkeypatch.setattr(revive, "_PAUSE", 0.0)
    world.kube.broken, world.cluster.there = refused("connection refused"), True

    assert ensure(world)


def test_deleted_cluster_is_an_error(world):
    world.kube.broken = refused("connection refused")

    with pytest.raises(EnvironmentFailed) as caught:
        ensure(world)
    assert caught.value.message == "cluster it does not exist any more"


def test_cluster_that_does_not_start_is_an_error(world, monkeypatch):
    monkeypatch.setattr(revive, "_START_SECONDS", 0.05)
    monkeypatch.setattr(revive, "_PAUSE", 0.01)
    world.kube.broken, world.cluster.there, world.cluster.alive = refused("connection refused"), True, False

    with pytest.raises(EnvironmentFailed) as caught:
        ensure(world)
    assert (caught.value.message, caught.value.reason) == ("cluster it does not answer", "its nodes are stopped")
    assert caught.value.hint == "the hint"


def web(started):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "shop"},
        "status": {"containerStatuses": [{"name": "web", "state": {"running": {"startedAt": started}}}]},
    }


def test_started_cluster_waits_until_pod_statuses_are_newer_than_the_start(world, monkeypatch):
    world.kube.broken, world.cluster.there = refused("connection refused"), True
    world.kube.put(web("2020-01-01T00:00:00Z"))
    after = f"{world.clock.now() + timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        world.kube.put(web(after))

    monkeypatch.setattr("seatrial.cluster_checks.revive.time.sleep", sleep)

    assert ensure(world)
    assert len(slept) == 1


def test_node_that_does_not_start_is_reported_with_its_pod(world, monkeypatch):
    monkeypatch.setattr(revive, "_START_SECONDS", 0.05)
    monkeypatch.setattr(revive, "_PAUSE", 0.01)
    world.kube.broken, world.cluster.there = refused("connection refused"), True
    world.kube.put(web("2020-01-01T00:00:00Z"))

    with pytest.raises(EnvironmentFailed, match="started without all of its nodes") as caught:
        ensure(world)
    assert "shop/web-0" in caught.value.reason


@pytest.mark.parametrize(
    ("age", "state", "done"), [(20, "stopped", []), (40, "stopped", ["revive"]), (40, "running", [])]
)
def test_cluster_with_a_silent_node_is_started_if_its_nodes_are_stopped(world, age, state, done):
    renewed = f"{world.clock.now() - timedelta(seconds=age):%Y-%m-%dT%H:%M:%S.%fZ}"
    meta = {"name": "it-worker", "namespace": "kube-node-lease"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
    world.kube.put({**lease, "spec": {"renewTime": renewed}})
    world.cluster.state = lambda: state

    ensure(world)

    assert world.cluster.log == done
