"""Ready: every workload is there in its newest version, and every declared service answers its question."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from seatrial.inpod.definition import services_of
from seatrial.inpod.fixtures.probes import question
from seatrial.inpod.podside import AGENT_DIRECTORY
from seatrial.inpod.records import Malformed, ProbeReader
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady
from seatrial.model.event import ServiceSeen
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import LABEL_THROWAWAY
from seatrial.model.spec import ServiceSpec
from seatrial.ports import Object, StreamBroken
from seatrial.stages import manifests, neighbours, objects
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.freshness import outdated, retry_pulls
from seatrial.stages.helm_state import newest
from seatrial.stages.memory import Answered, Installed, read, write
from seatrial.stages.monitor import Monitor, Target, glance

__all__ = ["questions", "run"]


def run(ctx: Ctx) -> Report:
    """Wait until everything is ready.

    Raises:
        NotReady: something will not become ready, or not in time.
    """
    spec, until = ctx.project.runner, ctx.deadline.child(ctx.project.timeouts.ready)
    targets: list[Target] = [("Pod", spec.namespace, spec.pod)]
    for release in ctx.project.release:
        targets += ctx.facts.targets[release.name]
    retry_pulls(ctx)
    at_once = glance(ctx, targets) or _wait(ctx, targets, until)
    if outdated(ctx):
        at_once = _wait(ctx, targets, until)
    asked = questions(ctx.project.service, spec.namespace)
    pods = _pods(ctx)
    answered = Answered(questions=hashlib.sha256(repr(asked).encode()).hexdigest(), pods=pods)
    memory = ctx.env.directory / "answered.json"
    # The same pods, all ready, that answered well before: nothing new to ask.
    if not at_once or read(memory, Answered) != answered:
        _ask(ctx, asked, until.left)
        write(memory, answered)
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
    monitor = Monitor(ctx, targets)
    try:
        monitor.wait(until.left)
    finally:
        monitor.close()
    return False


def _pods(ctx: Ctx) -> dict[str, int]:
    """Return uid and restarts of the pods in all namespaces that declared services live in."""
    spec = ctx.project.runner
    places = dict.fromkeys(service.namespace or spec.namespace for service in ctx.project.service.values())
    pods = [pod for place in places for pod in ctx.kube.objects("v1/Pod", place)]
    return {
        pod["metadata"]["uid"]: sum(
            int(each.get("restartCount") or 0) for each in (pod.get("status") or {}).get("containerStatuses") or ()
        )
        for pod in pods
        if pod["metadata"]["name"] != spec.pod and LABEL_THROWAWAY not in (pod["metadata"].get("labels") or {})
    }


def questions(services: dict[str, ServiceSpec], namespace: str) -> list[dict[str, Any]]:
    """Return what each service is asked, for the script in the pod; without a question an open port is enough."""
    return [
        {
            "name": name,
            **question(
                service,
                f"{service['service']}.{service['namespace']}.svc",
                (service["ready"] or {}).get("port") or service["port"],
            ),
        }
        for name, service in services_of(services, namespace).items()
    ]


_SLACK: Final = 10.0
"""Seconds that a command in a pod may take to start and end."""


def _ask(ctx: Ctx, asked: list[dict[str, Any]], seconds: float) -> None:
    spec = ctx.project.runner
    if not asked:
        return
    script = f"{AGENT_DIRECTORY}/probes.py"
    argv = ["python3", script, json.dumps(asked), f"{max(1.0, seconds):.0f}"]
    says = {question["name"]: "no answer yet" for question in asked}
    reader = ProbeReader(says)
    try:
        exec_ = ctx.kube.exec(spec.pod, spec.namespace)
        for chunk in exec_.stream(argv, container="tests", silence=seconds + _SLACK):
            for probe in reader.feed(chunk):
                says[probe.name] = probe.says
                ctx.emit(ServiceSeen(name=probe.name, ready=not probe.says, waits_for=probe.says))
    except (StreamBroken, Malformed) as broken:
        raise NotReady("the services could not be asked", (), why=str(broken)) from broken
    findings = [
        Finding(
            cause="NoAnswer",
            subject=ObjectRef(kind="Service", name=name, namespace=spec.namespace),
            says=f"service {name} does not answer as declared: {text}",
            try_=f"seatrial logs {name}",
        )
        for name, text in says.items()
        if text
    ]
    if findings:
        names = ", ".join(name for name, text in says.items() if text)
        raise NotReady(f"{names} not ready within {seconds:.0f} s", findings)


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
