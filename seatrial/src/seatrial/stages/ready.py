"""Ready: every workload is there in its newest version, and every declared service answers its question."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from seatrial.images.outdated_pods import recreate_outdated_pods, retry_failed_pulls
from seatrial.model.deadline import Deadline
from seatrial.ports import Object
from seatrial.saved_state import Answered, Installed, read, write
from seatrial.stages import manifests, neighbours, objects
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.helm_state import newest
from seatrial.stages.probing import ask, changed_pods, pod_states, questions
from seatrial.watching.workload_monitor import Target, WorkloadMonitor, all_ready_now

__all__ = ["run"]

_STEADY: Final = 2
_ROUNDS: Final = 10
"""After which pods that come and go are taken for no part of the services."""


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
    asked = questions(ctx.project.service, spec.namespace)
    digest = hashlib.sha256(repr(asked).encode()).hexdigest()
    memory = ctx.env.directory / "answered.json"
    # The same pods, ready since then, that answered well before: nothing new to ask.
    if not at_once or read(memory, Answered) != Answered(questions=digest, pods=pod_states(ctx)):
        pods = _ask_until_steady(ctx, asked, targets, until)
        write(memory, Answered(questions=digest, pods=pods))
        at_once = False
    if ctx.session.namespace:
        neighbours.verify(ctx)
    for name, made in ctx.facts.installed.items():
        _remember(ctx, name, made)
    manifests.found_good(ctx)
    facts = {"workloads": str(len(targets)), "services": str(len(asked))}
    return unchanged(**facts) if at_once else done(**facts)


def _wait(ctx: Ctx, targets: list[Target], until: Deadline) -> bool:
    """Wait for all targets; return False: they were not ready at once."""
    with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        monitor.wait(until)
    return False


def _ask_until_steady(ctx: Ctx, asked: list[dict[str, Any]], targets: list[Target], until: Deadline) -> dict[str, str]:
    """Ask all services until two rounds in a row went well with the same pods; return how those are.

    Under load a pod that was ready restarts, or a node leads its Service elsewhere for a moment: one good answer is no
    proof that the next connection is taken.
    """
    told: dict[str, str] = {}
    pods, good = pod_states(ctx), 0
    for _ in range(_ROUNDS):
        ask(ctx, asked, until.left, told=told)
        before, pods = pods, pod_states(ctx)
        good = good + 1 if pods == before else 0
        if good == _STEADY or not asked:
            return pods
        if not good:
            _wait(ctx, targets, until)
    ctx.warn(f"pods still change while their services are asked: {', '.join(changed_pods(before, pods))}")
    return pods


def _remember(ctx: Ctx, name: str, made: list[Object]) -> None:
    """Write down what a release is like now that it is good, so that the next command can tell."""
    release = next(each for each in ctx.project.release if each.name == name)
    state = newest(ctx.kube, release)
    if state is not None:
        installed = Installed(
            digest=ctx.facts.release_digests[name],
            revision=state.revision,
            namespace=release.namespace,
            objects=objects.fingerprints(ctx.kube, made, release.namespace),
            targets=[target for target in ctx.facts.targets[name] if target[0] != "Job"],
        )
        write(ctx.env.directory / f"release-{name}.json", installed)
