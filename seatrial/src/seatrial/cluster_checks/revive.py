"""Start a kept cluster whose API server does not answer: its nodes are stopped after a restart of machine or engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.ports import Clock, Cluster, ClusterState, Kube, Object, Progress

__all__ = ["ANSWER_SECONDS", "describe_state", "ensure_cluster_answers", "started_before"]

ANSWER_SECONDS: Final = 5.0
"""Seconds that a healthy API server needs at most to answer."""

_START_SECONDS: Final = 120.0
_PAUSE: Final = 0.5
_SILENT: Final = 30.0
"""Seconds without a renewed Lease after which a node counts as silent. Its kubelet renews the Lease every 10 s."""

_STATES: Final = {"stopped": "its nodes are stopped", "paused": "its nodes are paused", "running": "its nodes run"}


def describe_state(state: ClusterState) -> str:
    """Return the state of a cluster's nodes for messages about an API server that does not answer."""
    return _STATES.get(state, "its nodes do not exist any more")


def ensure_cluster_answers(
    cluster: Cluster,
    *,
    clock: Clock,
    own_nodes: bool,
    namespaces: Sequence[str],
    deadline: Deadline,
    progress: Progress,
    hint: str,
) -> bool:
    """Start a cluster's nodes if its API server does not answer, and return whether they were started.

    Args:
        cluster: the cluster.
        clock: the time.
        own_nodes: whether the nodes are containers on this engine; other nodes' Leases may not be readable.
        namespaces: namespaces in which to wait until pod statuses are newer than the start.
        deadline: ends the wait.
        progress: takes what is done.
        hint: the hint of errors.

    Raises:
        EnvironmentFailed: the cluster does not exist any more, or does not answer after 120 s.
    """
    kube = cluster.connect()
    if kube.answers(ANSWER_SECONDS) and not (own_nodes and _has_silent_node(kube, clock.now())):
        return False
    state = cluster.state()
    if state == "gone":
        raise EnvironmentFailed(
            f"cluster {cluster.name} does not exist any more", reason=describe_state(state), hint=hint
        )
    if state == "running" and kube.answers(ANSWER_SECONDS):
        # A node that is late with its Lease. Pods that need it report what is wrong with it.
        return False
    progress(f"cluster {cluster.name} does not answer, {describe_state(state)}: starting it")
    until = deadline.child(_START_SECONDS)
    started = clock.now()
    cluster.revive(deadline=until)
    while not cluster.connect().answers(ANSWER_SECONDS):
        if until.passed:
            raise EnvironmentFailed(
                f"cluster {cluster.name} does not answer", reason=describe_state(cluster.state()), hint=hint
            )
        time.sleep(_PAUSE)
    if state == "stopped":
        progress("waiting until its nodes report which pods run")
        if stale := _wait_for_statuses(cluster.connect(), namespaces, started, until):
            raise EnvironmentFailed(
                f"cluster {cluster.name} started without all of its nodes",
                reason=f"the status of pod {stale} is older than the start",
                hint=hint,
            )
    return True


def started_before(pod: Object, moment: datetime) -> bool:
    """Return whether a pod's status reports a running container that started before a moment."""
    moment = moment.replace(microsecond=0)
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        started = ((each.get("state") or {}).get("running") or {}).get("startedAt")
        if started and datetime.fromisoformat(started) < moment:
            return True
    return False


def _wait_for_statuses(kube: Kube, namespaces: Sequence[str], started: datetime, deadline: Deadline) -> str:
    """Wait until no status reports a container from before the start; at the deadline, return such a pod's name."""
    while True:
        stale = [
            f"{namespace}/{pod['metadata']['name']}"
            for namespace in namespaces
            for pod in kube.objects("v1/Pod", namespace)
            if started_before(pod, started)
        ]
        if not stale:
            return ""
        if deadline.passed:
            return stale[0]
        time.sleep(_PAUSE)


def _has_silent_node(kube: Kube, now: datetime) -> bool:
    """Return whether a node has not renewed its Lease for 30 s."""
    for lease in kube.objects("coordination.k8s.io/v1/Lease", "kube-node-lease"):
        renewed = (lease.get("spec") or {}).get("renewTime")
        if renewed and (now.astimezone(UTC) - datetime.fromisoformat(renewed)).total_seconds() > _SILENT:
            return True
    return False
