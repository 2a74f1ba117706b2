"""Which node pulls images early."""

from __future__ import annotations

import pytest
from seatrial.images.node_pulls import only_worker


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
