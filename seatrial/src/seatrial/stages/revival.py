"""A cluster as it was left, or woken: laptops sleep, engines and machines are restarted, nodes are stopped."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.result import Stage
from seatrial.ports import ClusterState, Kube, Object
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["TRIES", "begun_before", "run", "words"]

TRIES: Final = 5.0
"""Seconds that an API server which is well may take to answer."""

_SECONDS: Final = 120.0
_LOOK: Final = 0.5
_SILENT: Final = 30.0
"""Seconds without a sign of life of a node: its kubelet gives one every ten."""

_ENGINES: Final = {"stopped": "its nodes are stopped", "paused": "its nodes are paused", "running": "its nodes run"}


def words(state: ClusterState) -> str:
    """Return what a person is told of a cluster whose API does not answer."""
    return _ENGINES.get(state, "somebody removed it")


def run(ctx: Ctx) -> Report:
    """Find the cluster as it was left, or wake it and wait until all that is ours in it is known to be new.

    Raises:
        EnvironmentFailed: it is gone, or does not come back.
    """
    cluster = ctx.env.cluster
    kube = cluster.connect()
    # Of machines that are not ours we may not even know.
    if kube.answers(TRIES) and not (ctx.env.nodes and _silent_node(kube, ctx.env.clock.now())):
        return unchanged()
    state = cluster.state()
    if state == "gone":
        raise EnvironmentFailed(f"cluster {cluster.name} is gone", reason=words(state), hint=_hint(ctx))
    if state == "running" and kube.answers(TRIES):
        # A node that is slow to tell that it lives: whoever needs it will see.
        return unchanged()
    tell = ctx.progress(Stage.PREFLIGHT)
    tell(f"cluster {cluster.name} does not answer, {words(state)}: waking it")
    deadline = ctx.deadline.child(_SECONDS)
    woken = ctx.env.clock.now()
    cluster.revive(deadline=deadline)
    while not cluster.connect().answers(TRIES):
        if deadline.passed:
            raise EnvironmentFailed(
                f"cluster {cluster.name} does not answer", reason=words(cluster.state()), hint=_hint(ctx)
            )
        time.sleep(_LOOK)
    if state == "stopped":
        tell("waiting for its nodes to say which pods still run")
        _await_news(ctx, woken, deadline)
    return done(revived=cluster.name)


def begun_before(pod: Object, moment: datetime) -> bool:
    """Whether a pod's status tells of containers that began to run before a moment, and not that they ended."""
    moment = moment.replace(microsecond=0)
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        started = ((each.get("state") or {}).get("running") or {}).get("startedAt")
        if started and datetime.fromisoformat(started) < moment:
            return True
    return False


def _await_news(ctx: Ctx, woken: datetime, deadline: Deadline) -> None:
    """Wait until no pod is said to run that ran before its node was stopped: until then the API tells of the past."""
    kube = ctx.env.cluster.connect()
    while True:
        old = [
            f"{namespace}/{pod['metadata']['name']}"
            for namespace in ctx.project.used_namespaces
            for pod in kube.objects("v1/Pod", namespace)
            if begun_before(pod, woken)
        ]
        if not old:
            return
        if deadline.passed:
            raise EnvironmentFailed(
                f"cluster {ctx.env.cluster.name} came back without all of its nodes",
                reason=f"nothing new is known of pod {old[0]}",
                hint=_hint(ctx),
            )
        time.sleep(_LOOK)


def _silent_node(kube: Kube, now: datetime) -> bool:
    """Whether a node has not told for long that it lives."""
    for lease in kube.objects("coordination.k8s.io/v1/Lease", "kube-node-lease"):
        renewed = (lease.get("spec") or {}).get("renewTime")
        if renewed and (now.astimezone(UTC) - datetime.fromisoformat(renewed)).total_seconds() > _SILENT:
            return True
    return False


def _hint(ctx: Ctx) -> str:
    if ctx.record.provider == "existing":
        return f"kubectl --context {ctx.env.cluster.context} version"
    return "seatrial down, then seatrial up"
