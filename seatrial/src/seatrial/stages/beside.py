"""Into a cluster that others use too: it answers, our namespace is ours alone, no release is in the way."""

from __future__ import annotations

from seatrial.model.errors import UsageError
from seatrial.model.names import LABEL_OWNER, LABEL_PROJECT
from seatrial.stages import namespaces, revival
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.lease import Lease

__all__ = ["enter"]


def enter(ctx: Ctx) -> Report:
    """Check the cluster, and take the Lease of the namespace before anything in it is touched.

    Raises:
        EnvironmentFailed: the cluster does not answer.
        UsageError: another run works there, or what is there is not ours.
    """
    env, first = ctx.env, not ctx.session.kept
    if first:
        ctx.facts.versions["engine"] = env.check_engine()
        ctx.facts.versions["helm"] = env.charts.version()
    if ctx.session.provider == "existing" and not env.cluster.exists():
        raise UsageError(
            f"{env.cluster.kubeconfig} has no context {env.cluster.context!r}", hint="kubectl config get-contexts"
        )
    revival.run(ctx)
    kube = ctx.facts.kube = env.cluster.connect()
    namespace = ctx.project.runner.namespace
    namespaces.enter(ctx, namespace)
    marks = ctx.session.owner_labels
    holder = f"{env.holder} run {ctx.run}"
    lease = Lease(kube, namespace, holder=holder, labels=marks, clock=env.clock)
    lease.take()
    ctx.lease = lease

    def lost(reason: str) -> None:
        ctx.warn(f"this run stops: {reason}")
        ctx.cancelled.set()
        env.processes.stop()

    lease.keep(lost)
    namespaces.have(ctx, namespace)
    for release in ctx.project.release:
        records = kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}")
        for record in records:
            found = record["metadata"].get("labels") or {}
            if any(found.get(key) != value for key, value in marks.items()):
                raise UsageError(
                    f"release {release.name} in namespace {release.namespace} is not this project's",
                    reason=f"Helm's record of it has no label {LABEL_OWNER} with this {LABEL_PROJECT}",
                    hint="another release name, or another namespace",
                )
    return done(namespace=namespace, **ctx.facts.versions) if first else unchanged(namespace=namespace)
