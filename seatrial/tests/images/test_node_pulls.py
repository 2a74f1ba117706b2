"""Which node pulls images early."""

from __future__ import annotations

import threading

import pytest
from seatrial.images.node_pulls import EarlyPulls, only_worker
from seatrial.model.deadline import Deadline


@pytest.mark.parametrize(
    ("names", "worker"),
    [
        (["it-control-plane"], "it-control-plane"),
        (["it-control-plane", "it-worker"], "it-worker"),
        (["it-control-plane", "it-control-plane2", "it-external-load-balancer", "it-worker"], "it-worker"),
        (["it-control-plane", "it-worker", "it-worker2"], ""),
        ([], ""),
    ],
)
def test_only_worker_is_the_single_node_that_runs_pods(names, worker):
    assert only_worker(names) == worker


def pulls(world, **more):
    given = {"deadline": Deadline.after(30), "canceled": threading.Event(), **more}
    return EarlyPulls(world.cluster, lambda: True, **given)


def test_image_is_pulled_by_the_only_worker(world):
    early = pulls(world)
    early.start("web:1", "docker.io/library/web:1")

    assert early.pulls["web:1"].result(10)
    assert world.cluster.ran[-1][1][-1] == "docker.io/library/web:1"


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_pull_does_not_start_after_the_end_of_the_run(world, how):
    canceled = threading.Event()
    early = pulls(world, canceled=canceled)
    if how == "close":
        early.close()
    else:
        canceled.set()
    early.start("web:1", "docker.io/library/web:1")

    assert not early.pulls["web:1"].result(10)
    assert not [argv for _, argv in world.cluster.ran if "pull" in argv]
