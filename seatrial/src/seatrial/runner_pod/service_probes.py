"""Probe the declared services from the runner pod, and detect changes of the pods behind them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from seatrial.diagnose.rules.services import concerns_service, service_problems
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady, SeatrialError
from seatrial.model.event import Note
from seatrial.model.finding import Finding
from seatrial.model.names import LABEL_DEBUG_POD
from seatrial.model.spec import Project, ServiceSpec
from seatrial.pod.fixtures.probes import probe_of
from seatrial.ports import Emit, Kube, Object
from seatrial.runner.fixture_settings import services_of
from seatrial.runner.probe_run import ProbeRun, probe_after_failed_tests
from seatrial.runner_pod.inspection import inspect_network
from seatrial.saved_state import Answered, read

__all__ = ["STATE_FILE", "ServiceProbes", "changed_pods", "probes_of"]

STATE_FILE: Final = "answered.json"
"""In an environment's directory: the last time that all services were ready."""

_STABLE: Final = 2
"""Rounds in a row that have to succeed with the same pods."""

_ROUNDS: Final = 10
"""Rounds after which pods that still change are taken for unrelated to the services."""


def probes_of(services: dict[str, ServiceSpec], namespace: str) -> list[dict[str, Any]]:
    """Return the probe of each service, as the script in the pod reads it; without `ready`, an open port is enough."""
    return [
        {
            "name": name,
            **probe_of(
                service,
                f"{service['service']}.{service['namespace']}.svc",
                (service["ready"] or {}).get("port") or service["port"],
            ),
        }
        for name, service in services_of(services, namespace).items()
    ]


@dataclass(slots=True, kw_only=True)
class ServiceProbes:
    """The probes of a project's services.

    Attributes:
        kube: the cluster's API.
        project: the project.
        emit: takes events: which service is ready, and what the others wait for.
        canceled: once set, the probes end without a result.
        probes: one probe for each service.
    """

    kube: Kube
    project: Project
    emit: Emit
    canceled: threading.Event
    probes: list[dict[str, Any]] = field(init=False)
    _run: ProbeRun = field(init=False)

    def __post_init__(self) -> None:
        """Build the probes."""
        spec = self.project.runner
        self.probes = probes_of(self.project.service, spec.namespace)
        self._run = ProbeRun(
            connect=lambda: self.kube.exec(spec.pod, spec.namespace),
            probes=self.probes,
            namespace=spec.namespace,
            emit=self.emit,
            canceled=self.canceled,
        )

    def state(self, pods: Mapping[str, str]) -> Answered:
        """Return what to save once all services answered with these pods."""
        return Answered(questions=hashlib.sha256(repr(self.probes).encode()).hexdigest(), pods=dict(pods))

    def pod_states(self) -> dict[str, str]:
        """Return uid to name, restarts and readiness of all pods in the namespaces of declared services."""
        spec = self.project.runner
        places = dict.fromkeys(service.namespace or spec.namespace for service in self.project.service.values())
        pods = [pod for place in places for pod in self.kube.objects("v1/Pod", place)]
        return {
            pod["metadata"]["uid"]: _state(pod)
            for pod in pods
            if pod["metadata"]["name"] != spec.pod and LABEL_DEBUG_POD not in (pod["metadata"].get("labels") or {})
        }

    def run_until_stable(self, until: Deadline, wait_for_pods: Callable[[], object]) -> dict[str, str]:
        """Probe all services until two rounds in a row succeed with the same pods; return the states of these pods.

        Under load a ready pod may restart, or a node may route its Service elsewhere for a moment. So one good answer
        does not prove that the next connection is accepted.

        Args:
            until: when all services have to be ready.
            wait_for_pods: is called after a round in which pods changed; returns once all pods are ready.

        Raises:
            NotReady: a service is not ready in time.
        """
        pods, good = self.pod_states(), 0
        for _ in range(_ROUNDS):
            self.run(until.left)
            before, pods = pods, self.pod_states()
            good = good + 1 if pods == before else 0
            if good == _STABLE or not self.probes:
                return pods
            if not good:
                wait_for_pods()
        names = ", ".join(changed_pods(before, pods))
        self.emit(Note(level="warning", text=f"pods still change while their services are probed: {names}"))
        return pods

    def run(self, seconds: float) -> None:
        """Probe all services, each repeatedly until it is ready, for at most `seconds`.

        Raises:
            NotReady: a service is not ready in time, or the runner pod did not answer.
        """
        try:
            self._run(seconds)
        except NotReady as silent:
            if not silent.findings:
                raise
            raise NotReady(silent.message, [self._explained(each) for each in silent.findings]) from silent

    def _explained(self, silent: Finding) -> Finding:
        """Return why a service does not answer, as far as objects and connections show it."""
        spec = self.project.runner
        service = services_of(self.project.service, spec.namespace)[silent.subject.name]
        place, name = str(service["namespace"]), str(service["service"])
        try:
            problems = service_problems(inspect_network(self.kube, spec, (place,)))
        except SeatrialError:
            return silent
        cause = next((each for each in problems if concerns_service(each, place, name)), None)
        return replace(cause, leads_to=(f"{silent.subject}: {silent.message}",)) if cause else silent

    def after_failed_tests(self, directory: Path) -> tuple[Finding, ...]:
        """Return which services do not answer after tests that failed, and warn of pods that changed during the tests.

        Args:
            directory: of the environment, with the saved state of the pods before the tests.
        """
        if not self.probes:
            return ()
        return probe_after_failed_tests(self.run, self.emit, first=lambda: self._warn_of_changed_pods(directory))

    def _warn_of_changed_pods(self, directory: Path) -> None:
        before, after = read(directory / STATE_FILE, Answered), self.pod_states()
        if before is not None and (changed := changed_pods(before.pods, after)):
            names = ", ".join(changed)
            text = f"while the tests ran, pods were created, deleted, restarted or not ready: {names}"
            self.emit(Note(level="warning", text=text))


def _state(pod: Object) -> str:
    status = pod.get("status") or {}
    restarts = sum(int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
    ready: Object = next((each for each in status.get("conditions") or () if each.get("type") == "Ready"), {})
    # The time of the last transition tells of a pod that was not ready for a moment in between.
    return f"{pod['metadata']['name']} {restarts} {ready.get('status', '')} {ready.get('lastTransitionTime', '')}"


def changed_pods(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of pods that were created, deleted or restarted, or whose readiness changed. Pure."""
    uids = [uid for uid in {**before, **after} if before.get(uid) != after.get(uid)]
    return sorted({(before.get(uid) or after[uid]).partition(" ")[0] for uid in uids})
