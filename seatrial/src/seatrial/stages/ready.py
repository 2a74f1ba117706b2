"""Ready: every workload is there in its newest version, and every declared service answers its question."""

from __future__ import annotations

from seatrial.images.outdated_pods import recreate_outdated_pods, retry_failed_pulls
from seatrial.model.deadline import Deadline
from seatrial.namespaces.guardrails import verify_policies
from seatrial.ports import Object
from seatrial.releases.applied_sets import record_applied
from seatrial.releases.helm_records import newest_revision
from seatrial.releases.live_objects import fingerprints
from seatrial.runner_pod.service_probes import STATE_FILE, ServiceProbes
from seatrial.saved_state import Answered, Installed, read, write
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.watching.workload_monitor import Target, WorkloadMonitor, all_ready_now

__all__ = ["run"]


def run(ctx: Ctx) -> Report:
    """Wait until everything is ready.

    Raises:
        NotReady: something will not become ready, or not in time.
    """
    spec, until = ctx.project.runner, ctx.deadline.child(ctx.project.timeouts.ready)
    targets: list[Target] = [("Pod", spec.namespace, spec.pod)]
    for release in ctx.project.release:
        targets += ctx.facts.targets[release.name]
    namespaces = ctx.project.used_namespaces
    if not ctx.facts.fresh:
        retry_failed_pulls(ctx.kube, namespaces, ctx.facts.pushed, ctx.warn)
    at_once = all_ready_now(ctx.kube, targets, ctx.emit) or _wait(ctx, targets, until)
    if recreate_outdated_pods(ctx.kube, namespaces, ctx.facts.delivered, ctx.warn):
        at_once = _wait(ctx, targets, until)
    probes = ServiceProbes(kube=ctx.kube, project=ctx.project, emit=ctx.emit, cancelled=ctx.cancelled)
    state_file = ctx.env.directory / STATE_FILE
    # All services answered before, and since then all pods are the same and were ready: no need to probe again.
    if not at_once or read(state_file, Answered) != probes.state(probes.pod_states()):
        pods = probes.run_until_stable(until, lambda: _wait(ctx, targets, until))
        write(state_file, probes.state(pods))
        at_once = False
    if ctx.record.namespace and ctx.project.namespace.isolated:
        state_file = ctx.env.directory / "policies.json"
        verify_policies(ctx.kube, spec, ctx.record.namespace, state_file=state_file, warn=ctx.warn)
    for name, made in ctx.facts.installed.items():
        _remember(ctx, name, made)
    for applied in ctx.facts.applied.values():
        record_applied(ctx.kube, applied, ctx.env.directory)
    facts = {"workloads": str(len(targets)), "services": str(len(probes.probes))}
    return unchanged(**facts) if at_once else done(**facts)


def _wait(ctx: Ctx, targets: list[Target], until: Deadline) -> bool:
    """Wait for all targets; return False: they were not ready at once."""
    with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        monitor.wait(until)
    return False


def _remember(ctx: Ctx, name: str, made: list[Object]) -> None:
    """Write down what a release is like now that it is good, so that the next command can tell."""
    release = next(each for each in ctx.project.release if each.name == name)
    state = newest_revision(ctx.kube, release)
    if state is not None:
        installed = Installed(
            digest=ctx.facts.release_digests[name],
            revision=state.revision,
            namespace=release.namespace,
            objects=fingerprints(ctx.kube, made, release.namespace),
            targets=[target for target in ctx.facts.targets[name] if target[0] != "Job"],
        )
        write(ctx.env.directory / f"release-{name}.json", installed)
