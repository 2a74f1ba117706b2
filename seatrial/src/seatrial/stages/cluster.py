"""Cluster stage: create the cluster and wait until its network works, or connect to the existing one."""

from __future__ import annotations

import time

from seatrial.cluster_checks.network_check import wait_for_network
from seatrial.model.environment_record import Created
from seatrial.model.result import Stage
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["run"]


def run(ctx: Ctx) -> Report:
    """Create the cluster unless the environment has one, and wait until its network works.

    Raises:
        EnvironmentFailed: the cluster cannot be created, or its network does not work in time.
    """
    cluster, facts = ctx.env.cluster, ctx.facts
    if facts.fresh:
        deadline = ctx.deadline.child(ctx.project.timeouts.cluster)
        if mirror := ctx.env.mirror:
            # The registry's containers are removed together with the network that kind creates.
            ctx.resources.add(Created(kind="container", name=mirror.container))
            mirror.claim_network()
        ctx.resources.add(Created(kind="cluster", name=cluster.name))
        cluster.create(deadline=deadline, log=ctx.log("cluster"), progress=ctx.progress(Stage.CLUSTER))
        ctx.resources.add(Created(kind="cluster", name=cluster.name, identity=cluster.identity()))
    facts.kube = cluster.connect()
    if ctx.tests and not facts.fresh:
        # The install stage cancels this command if it recreates the runner pod.
        spec = ctx.project.runner
        facts.prestarted_exec = PrestartedExec(facts.kube.exec(spec.pod, spec.namespace))
    facts.versions["kubernetes"] = facts.kube.version()
    if not facts.fresh:
        facts.usable = True
        return unchanged(name=cluster.name)
    started = time.monotonic()
    if nodes := ctx.env.nodes:
        progress = ctx.progress(Stage.CLUSTER)
        wait_for_network(facts.kube, nodes, deadline=deadline, progress=progress, warn=ctx.warn)
    facts.usable = True
    seconds = f"{time.monotonic() - started:.1f} s"
    return done(name=cluster.name, kubernetes=facts.versions["kubernetes"], network=seconds)
