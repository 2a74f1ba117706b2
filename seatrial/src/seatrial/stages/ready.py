"""Ready stage: wait until all workloads run their newest version and all declared services answer."""

from __future__ import annotations

from typing import Final

from seatrial.images.outdated_pods import recreate_outdated_pods, retry_failed_pulls
from seatrial.model.deadline import Deadline
from seatrial.model.result import Stage
from seatrial.namespaces.guardrails import verify_policies
from seatrial.releases.applied_sets import record_applied
from seatrial.releases.installed_releases import record_installed
from seatrial.runner_pod.service_probes import STATE_FILE, ServiceProbes
from seatrial.saved_state import Answered, read, write
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.deliver import DeliveredImages
from seatrial.stages.install import Installation
from seatrial.watching.workload_monitor import Target, WorkloadMonitor, all_ready_now

__all__ = ["run"]

_ROUTES: Final = 1.2
"""Seconds after which kube-proxy has written the routes to a service that became ready.

By default it waits 1 s between two changes (`iptables.minSyncPeriod` of KubeProxyConfiguration). It refuses connections
until then. In clusters that seatrial creates, it waits 100 ms.
"""


def run(ctx: Ctx, delivered: DeliveredImages, installation: Installation) -> Report[None]:
    """Wait until all workloads and services are ready, then record their state for the next command.

    Raises:
        NotReady: a workload or service failed or is not ready in time.
    """
    spec, until = ctx.project.runner, ctx.deadline.child(ctx.project.timeouts.ready)
    targets: list[Target] = [("Pod", spec.namespace, spec.pod)]
    for release in ctx.project.release:
        targets += installation.targets[release.name]
    ctx.fact(Stage.READY, "workloads", str(len(targets)))
    namespaces = ctx.project.used_namespaces
    if not ctx.is_new:
        retry_failed_pulls(ctx.kube, namespaces, delivered.pushed, ctx.warn)
    at_once = all_ready_now(ctx.kube, targets, ctx.emit) or _wait(ctx, targets, until)
    if recreate_outdated_pods(ctx.kube, namespaces, delivered.digests, ctx.warn):
        at_once = _wait(ctx, targets, until)
    probes = ServiceProbes(kube=ctx.kube, project=ctx.project, emit=ctx.emit, canceled=ctx.canceled)
    state_file = ctx.env.directory / STATE_FILE
    # All services answered before, and since then all pods are the same and were ready: no need to probe again.
    if not at_once or read(state_file, Answered) != probes.state(probes.pod_states()):
        pods = probes.run_until_stable(until, lambda: _wait(ctx, targets, until))
        if ctx.record.provider == "existing":
            ctx.canceled.wait(_ROUTES)
        write(state_file, probes.state(pods))
        at_once = False
    if ctx.record.namespace and ctx.project.namespace.isolated:
        state_file = ctx.env.directory / "policies.json"
        verify_policies(ctx.kube, spec, ctx.record.namespace, state_file=state_file, warn=ctx.warn)
    for release in ctx.project.release:
        if release.name in installation.upgraded:
            record_installed(
                ctx.kube,
                release,
                installation.upgraded[release.name],
                installation.targets[release.name],
                digest=delivered.releases[release.name].digest,
                directory=ctx.env.directory,
            )
    for applied in installation.applied:
        record_applied(ctx.kube, applied, ctx.env.directory)
    facts = {"workloads": str(len(targets)), "services": str(len(probes.probes))}
    return unchanged(None, facts) if at_once else done(None, facts)


def _wait(ctx: Ctx, targets: list[Target], until: Deadline) -> bool:
    """Wait for all targets. Return False, as they were not ready at once."""
    with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, canceled=ctx.canceled) as monitor:
        monitor.wait(until)
    return False
