"""Everything that can be found wrong before anything is made."""

from __future__ import annotations

from seatrial.model.errors import UsageError
from seatrial.stages import beside, manifests, revival
from seatrial.stages.context import Ctx, Report, done

__all__ = ["run"]


def run(ctx: Ctx) -> Report:
    """Check tools and engine, that the cluster's name is free or ours, and that its host ports are free.

    Raises:
        UsageError: one of them is not as it must be.
    """
    env = ctx.env
    cluster = next((made for made in ctx.session.made if made.kind == "cluster"), None)
    ctx.facts.fresh = cluster is None and not ctx.session.shares
    if not ctx.facts.fresh:
        env.charts.end_left_behind()
    if not ctx.session.kept:
        manifests.check(ctx.project.release, ctx.project.root)
    if ctx.session.shares:
        return beside.enter(ctx)
    if not ctx.facts.fresh:
        return revival.run(ctx)
    ctx.facts.versions["engine"] = env.check_engine()
    ctx.facts.versions["helm"] = env.charts.version()
    if not env.processes.find("kind"):
        raise UsageError("kind is not on PATH", hint="install it: https://kind.sigs.k8s.io/docs/user/quick-start/")
    if env.cluster.exists():
        raise UsageError(
            f"there is a cluster {env.cluster.name!r} that seatrial did not make",
            reason="the ledger does not know it, so it is somebody else's and stays as it is",
            hint=f"kind delete cluster --name {env.cluster.name}, or another name under [cluster]",
        )
    taken = [f"{address}:{port}" for address, port in env.host_ports if not env.port_is_free(address, port)]
    if taken:
        raise UsageError(
            f"host port {', '.join(taken)} is taken",
            reason="the cluster publishes it, and something on this machine listens there already",
            hint=f"ss -ltnp 'sport = :{taken[0].rpartition(':')[2]}' says what",
        )
    if mirror := env.mirror:
        # First in, last out: what the cluster still uses cannot go before it.
        ctx.undo.push("registry", lambda _: mirror.remove())
    return done(**ctx.facts.versions)
