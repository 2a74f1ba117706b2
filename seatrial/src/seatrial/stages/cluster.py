"""Cluster stage: create the cluster and wait until its network works, or connect to the existing one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from seatrial.cluster_checks.network_check import wait_for_network
from seatrial.model.environment_record import Created
from seatrial.model.result import Stage
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["RunningCluster", "run"]


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A cluster that can be used.

    Attributes:
        version: of Kubernetes.
        prestarted_exec: the command in the runner pod of a kept environment that waits for the test run.
    """

    version: str
    prestarted_exec: PrestartedExec | None


def run(ctx: Ctx) -> Report[RunningCluster]:
    """Create the cluster unless the environment has one, and wait until its network works.

    Raises:
        EnvironmentFailed: the cluster cannot be created, or its network does not work in time.
    """
    cluster = ctx.env.cluster
    if not ctx.is_new:
        kube = ctx.connect()
        prestarted = _prestart(ctx)
        ctx.record_cluster()
        return unchanged(RunningCluster(kube.version(), prestarted), {"name": cluster.name})
    deadline = ctx.deadline.child(ctx.project.timeouts.cluster)
    if mirror := ctx.env.mirror:
        # The registry's containers are removed together with the network that kind creates.
        ctx.resources.add(Created(kind="container", name=mirror.container))
        mirror.claim_network()
    progress = ctx.progress(Stage.CLUSTER)
    ctx.fact(Stage.CLUSTER, "name", cluster.name)
    ctx.resources.add(Created(kind="cluster", name=cluster.name))
    cluster.create(deadline=deadline, log=ctx.log("cluster"), progress=progress)
    ctx.resources.add(Created(kind="cluster", name=cluster.name, identity=cluster.identity()))
    kube = ctx.connect()
    ctx.record_cluster()
    version, started = kube.version(), time.monotonic()
    ctx.fact(Stage.CLUSTER, "kubernetes", version)
    if nodes := ctx.env.nodes:
        wait_for_network(kube, nodes, deadline=deadline, progress=progress, warn=ctx.warn)
    seconds = f"{time.monotonic() - started:.1f} s"
    return done(RunningCluster(version, None), {"name": cluster.name, "kubernetes": version, "network": seconds})


def _prestart(ctx: Ctx) -> PrestartedExec | None:
    """Start the command that will take the test run. The install stage cancels it if it recreates the runner pod."""
    if not ctx.tests:
        return None
    spec = ctx.project.runner
    prestarted = PrestartedExec(ctx.kube.exec(spec.pod, spec.namespace))
    ctx.at_end.callback(prestarted.abandon)
    return prestarted
