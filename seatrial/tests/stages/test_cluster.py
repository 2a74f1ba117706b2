"""The cluster stage."""

from __future__ import annotations

import pytest
from new_cluster import with_network
from seatrial.model.environment_record import Created
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.result import Outcome, Stage
from seatrial.stages import cluster
from seatrial.stages.cluster import RunningCluster


def test_cluster_is_recorded_before_it_is_created(world):
    with_network(world).cluster.breaks = EnvironmentFailed("no")
    ctx = world.ctx(connected=False)

    with pytest.raises(EnvironmentFailed):
        cluster.run(ctx)
    assert world.created == (Created(kind="container", name="seatrial-registry"), Created(kind="cluster", name="it"))
    assert ctx.facts == {Stage.CLUSTER: {"name": "it"}}


def test_new_cluster_is_usable_and_recorded(world):
    ctx = with_network(world).ctx(connected=False)
    report = cluster.run(ctx)

    assert report.facts["name"] == "it"
    assert report.result == RunningCluster("v1.34.4", None)
    assert ctx.kube is world.kube
    assert world.created[-1] == Created(kind="cluster", name="it", identity="id")
    assert ("v1/Namespace", "", "seatrial-network-check") in world.kube.deleted
    assert world.cluster.log == ["create"]


def test_kept_cluster_stays_unchanged(world):
    report = cluster.run(world.ctx(connected=False, kept=True))

    assert report.outcome is Outcome.UNCHANGED
    assert report.result.prestarted_exec is None, "this command runs no tests"


def test_command_of_the_tests_is_prestarted_in_a_kept_cluster(world):
    report = cluster.run(world.ctx(connected=False, kept=True, tests=True))

    assert report.result.prestarted_exec.take() is world.kube.pod.started[0]
    assert world.kube.pod.asked[0][-1] == "submit"


def test_no_command_is_prestarted_in_a_new_cluster(world):
    ctx = with_network(world).ctx(connected=False, tests=True)

    assert cluster.run(ctx).result.prestarted_exec is None


def test_network_of_nodes_on_other_machines_is_not_checked(world):
    ctx = world.ctx(connected=False, env=world.env(nodes=None))
    cluster.run(ctx)

    assert world.cluster.ran == []


def test_prestarted_command_is_left_at_the_end_of_the_run(world):
    ctx = world.ctx(connected=False, kept=True, tests=True)
    with ctx.at_end:
        cluster.run(ctx)

    assert world.kube.pod.started[0].left.wait(5)
