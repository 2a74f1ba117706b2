"""The cluster: made, or found as it was left; of use in either case."""

from __future__ import annotations

from seatrial.model.environment_record import Made
from seatrial.model.result import Stage
from seatrial.runner.prestart import Submission
from seatrial.stages import gate
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["run"]


def run(ctx: Ctx) -> Report:
    """Make the cluster unless the environment has one, and wait until pods in it find and reach each other.

    Raises:
        EnvironmentFailed: it cannot be made, or what the environment had is gone or broken.
    """
    cluster, facts = ctx.env.cluster, ctx.facts
    if facts.fresh:
        deadline = ctx.deadline.child(ctx.project.timeouts.cluster)
        if ctx.env.mirror:
            ctx.env.mirror.claim_network()
        ctx.undo.push(f"cluster {cluster.name}", lambda limit: cluster.delete(deadline=limit))
        ctx.remember(Made(kind="cluster", name=cluster.name))
        cluster.create(deadline=deadline, log=ctx.log("cluster"), progress=ctx.progress(Stage.CLUSTER))
        ctx.remember(Made(kind="cluster", name=cluster.name, identity=cluster.identity()))
    facts.kube = cluster.connect()
    if ctx.tests and not facts.fresh:
        # What the runner is, is asked later; the install stage leaves this where it makes the pod anew.
        spec = ctx.project.runner
        facts.submission = Submission(facts.kube.exec(spec.pod, spec.namespace))
    facts.versions["kubernetes"] = facts.kube.version()
    if not facts.fresh:
        facts.usable = True
        return unchanged(name=cluster.name)
    waited = gate.wait(ctx, deadline)
    facts.usable = True
    return done(name=cluster.name, kubernetes=facts.versions["kubernetes"], gate=f"{waited:.1f} s")
