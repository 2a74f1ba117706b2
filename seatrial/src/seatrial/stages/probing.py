"""Questions to the declared services, asked by the runner pod; and whether the pods behind them stayed as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from seatrial.model.errors import ExitCode, NotReady, SeatrialError
from seatrial.model.event import FindingMade, ServiceSeen
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import LABEL_THROWAWAY
from seatrial.model.spec import ServiceSpec
from seatrial.pod.fixtures.probes import question
from seatrial.ports import Object, StreamBroken
from seatrial.runner import waits
from seatrial.runner.decoder import Malformed, ProbeReader
from seatrial.runner.definition import services_of
from seatrial.runner.pod_files import AGENT_DIRECTORY
from seatrial.saved_state import Answered, read
from seatrial.stages.context import Ctx

__all__ = ["after_red_tests", "ask", "changed_pods", "pod_states", "questions"]

_SLACK: Final = 10.0
"""Seconds that a command in a pod may take to start and end."""

_AFTERWARDS: Final = 3.0
"""Seconds that services have to answer after tests that failed."""

_RED: Final = (ExitCode.TESTS_FAILED, ExitCode.INCONCLUSIVE, ExitCode.PYTEST_INTERNAL)


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


def ask(ctx: Ctx, asked: list[dict[str, Any]], seconds: float, *, told: dict[str, str]) -> None:
    """Ask all services until each answers well.

    Args:
        ctx: the run.
        asked: questions.
        seconds: how long at most.
        told: service to what was told of it before: only news are told.

    Raises:
        NotReady: one does not answer well.
    """
    spec = ctx.project.runner
    if not asked:
        return
    script = f"{AGENT_DIRECTORY}/probes.py"
    argv = ["python3", script, json.dumps(asked), f"{max(1.0, seconds):.0f}"]
    message = {question["name"]: "no answer yet" for question in asked}
    reader = ProbeReader(message)
    try:
        exec_ = ctx.kube.exec(spec.pod, spec.namespace)
        stream = waits.pieces(lambda: exec_.stream(argv, container="tests", silence=seconds + _SLACK))
        with closing(stream):
            for chunk in stream:
                if ctx.cancelled.is_set():
                    # The run ends: nobody waits for the answers of a pod whose node may be paused.
                    return
                for probe in reader.feed(chunk) if chunk else ():
                    message[probe.name] = probe.message
                    if told.get(probe.name) != probe.message:
                        told[probe.name] = probe.message
                        ctx.emit(ServiceSeen(name=probe.name, ready=not probe.message, waits_for=probe.message))
    except (StreamBroken, Malformed) as broken:
        raise NotReady("the services could not be asked", (), reason=str(broken)) from broken
    findings = [
        Finding(
            cause="NoAnswer",
            subject=ObjectRef(kind="Service", name=name, namespace=spec.namespace),
            message=f"service {name} does not answer as declared: {text}",
            hint=f"seatrial logs {name}",
        )
        for name, text in message.items()
        if text
    ]
    if findings:
        names = ", ".join(name for name, text in message.items() if text)
        raise NotReady(f"{names} not ready within {seconds:.0f} s", findings)


def pod_states(ctx: Ctx) -> dict[str, str]:
    """Return uid to name, restarts and readiness of the pods in all namespaces that declared services live in."""
    spec = ctx.project.runner
    places = dict.fromkeys(service.namespace or spec.namespace for service in ctx.project.service.values())
    pods = [pod for place in places for pod in ctx.kube.objects("v1/Pod", place)]
    return {
        pod["metadata"]["uid"]: _state(pod)
        for pod in pods
        if pod["metadata"]["name"] != spec.pod and LABEL_THROWAWAY not in (pod["metadata"].get("labels") or {})
    }


def _state(pod: Object) -> str:
    status = pod.get("status") or {}
    restarts = sum(int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
    ready: Object = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), {})
    # The time of the last change: a pod that was not ready for a moment in between is not what it was.
    return f"{pod['metadata']['name']} {restarts} {ready.get('status', '')} {ready.get('lastTransitionTime', '')}"


def changed_pods(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of pods that came, went, restarted, or changed their readiness. Pure."""
    uids = [uid for uid in {**before, **after} if before.get(uid) != after.get(uid)]
    return sorted({(before.get(uid) or after[uid]).partition(" ")[0] for uid in uids})


def after_red_tests(ctx: Ctx) -> tuple[Finding, ...]:
    """Say after tests that failed whether the services still answer, and which of their pods changed meanwhile.

    A test that met "connection refused" does not tell whose fault that was. Green runs are not asked about.
    """
    tests = ctx.facts.tests
    if tests is None or tests.exit not in _RED or not ctx.project.service:
        return ()
    try:
        return waits.call(lambda: _answers(ctx), seconds=_AFTERWARDS + _SLACK)
    except (SeatrialError, waits.Left):
        # The cluster is in trouble, which other findings tell.
        return ()


def _answers(ctx: Ctx) -> tuple[Finding, ...]:
    before, after = read(ctx.env.directory / "answered.json", Answered), pod_states(ctx)
    if before is not None and (changed := changed_pods(before.pods, after)):
        ctx.warn(f"while the tests ran, pods came, went, restarted or were not ready: {', '.join(changed)}")
    try:
        ask(ctx, questions(ctx.project.service, ctx.project.runner.namespace), _AFTERWARDS, told={})
    except NotReady as silent:
        for finding in silent.findings:
            ctx.emit(FindingMade(finding=finding))
        return silent.findings
    return ()
