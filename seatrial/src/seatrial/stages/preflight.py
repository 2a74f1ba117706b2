"""Preflight stage: find every problem that can be found before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.cluster_checks.revive import ensure_cluster_answers
from seatrial.model.errors import UsageError
from seatrial.model.result import Stage
from seatrial.namespaces.lease import Lease
from seatrial.namespaces.ownership import claim_namespace, ensure_namespace
from seatrial.releases.helm_records import check_owner
from seatrial.releases.manifests import check_manifests
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["Preflight", "run"]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the preflight stage found.

    Attributes:
        versions: program to version, of those that were checked.
    """

    versions: Mapping[str, str]


def run(ctx: Ctx) -> Report[Preflight]:
    """Check tools, engine, manifests, the cluster's name and its host ports. Enter the cluster if it exists already.

    Raises:
        UsageError: a check failed, or another run or owner uses the namespace.
        EnvironmentFailed: the existing cluster does not answer.
    """
    env = ctx.env
    if not ctx.is_new:
        env.charts.end_orphans()
    if not ctx.record.kept:
        check_manifests(ctx.project.release, ctx.project.root)
    if ctx.record.shares:
        return _enter_shared_cluster(ctx)
    if not ctx.is_new:
        if _ensure_cluster_answers(ctx):
            return done(Preflight({}), {"started": env.cluster.name})
        return unchanged(Preflight({}))
    versions = _tool_versions(ctx)
    if not env.processes.find("kind"):
        raise UsageError("kind is not on PATH", hint="install it: https://kind.sigs.k8s.io/docs/user/quick-start/")
    if env.cluster.exists():
        raise UsageError(
            f"cluster {env.cluster.name} already exists and was not created by seatrial",
            reason="the ledger has no record of it, so seatrial does not change it",
            hint=f"kind delete cluster --name {env.cluster.name}, or choose another name under [cluster]",
        )
    taken = [f"{address}:{port}" for address, port in env.host_ports if not env.port_is_free(address, port)]
    if taken:
        raise UsageError(
            f"host port {', '.join(taken)} is in use",
            reason="the cluster publishes this port, and another program on this machine listens on it",
            hint=f"find the program: ss -ltnp 'sport = :{taken[0].rpartition(':')[2]}'",
        )
    return done(Preflight(versions), versions)


def _tool_versions(ctx: Ctx) -> dict[str, str]:
    return {"engine": ctx.env.check_engine(), "helm": ctx.env.charts.version()}


def _ensure_cluster_answers(ctx: Ctx) -> bool:
    """Start the existing cluster if it does not answer, and return whether it was started."""
    env, hint = ctx.env, "seatrial down, then seatrial up"
    if ctx.record.provider == "existing":
        hint = f"kubectl --context {env.cluster.context} version"
    return ensure_cluster_answers(
        env.cluster,
        clock=env.clock,
        own_nodes=env.nodes is not None,
        namespaces=ctx.project.used_namespaces,
        deadline=ctx.deadline,
        progress=ctx.progress(Stage.PREFLIGHT),
        hint=hint,
    )


def _enter_shared_cluster(ctx: Ctx) -> Report[Preflight]:
    """Check the cluster and take the Lease of the runner's namespace before anything in it is changed."""
    env, is_first = ctx.env, not ctx.record.kept
    versions = _tool_versions(ctx) if is_first else {}
    if ctx.record.provider == "existing" and not env.cluster.exists():
        raise UsageError(
            f"{env.cluster.kubeconfig} has no context {env.cluster.context!r}", hint="kubectl config get-contexts"
        )
    _ensure_cluster_answers(ctx)
    kube = ctx.connect()
    namespace, owner = ctx.project.runner.namespace, ctx.owner
    claim_namespace(kube, namespace, owner, deadline=ctx.deadline, record=ctx.resources.add)
    _take_lease(ctx, namespace)
    ensure_namespace(kube, namespace, owner, deadline=ctx.deadline, record=ctx.resources.add)
    check_owner(kube, ctx.project.release, ctx.record.owner_labels)
    found = Preflight(versions)
    if is_first:
        return done(found, {"namespace": namespace, **versions})
    return unchanged(found, {"namespace": namespace})


def _take_lease(ctx: Ctx, namespace: str) -> None:
    env, labels = ctx.env, ctx.record.owner_labels
    lease = Lease(ctx.kube, namespace, holder=f"{env.holder} run {ctx.run}", labels=labels, clock=env.clock)
    lease.take(ctx.deadline)
    ctx.lease = lease
    ctx.at_end.callback(lease.release)

    def lost(reason: str) -> None:
        ctx.warn(f"stopping this run: {reason}")
        ctx.canceled.set()
        env.processes.stop()

    lease.keep(lost)
