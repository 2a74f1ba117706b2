"""Find out whose fault failed tests are: wait for late news of the cluster, read its Services, and apply the rules."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.diagnose.blame import blame_test, concerns_of
from seatrial.diagnose.failed_test import FailedTest
from seatrial.diagnose.failure_kind import FailureKind, failure_kind
from seatrial.diagnose.incidents.find import find_incidents
from seatrial.diagnose.incidents.incident import Incident
from seatrial.diagnose.incidents.logs import log_incidents
from seatrial.diagnose.incidents.nodes import silent_node
from seatrial.diagnose.service_map import ServiceMap, service_map
from seatrial.model.blame import Blame
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import Project
from seatrial.model.timeline import decode_timeline
from seatrial.model.timeline_index import TimelineIndex
from seatrial.ports import Kube, Object
from seatrial.runner import blocking_calls
from seatrial.runner.fixture_settings import services_of
from seatrial.watching.recorded_logs import last_lines, reported_lines

__all__ = ["BlameFinder"]

_SETTLE_SECONDS: Final = 1.5
"""Seconds after a failure until the kubelet has reported its cause: it inspects containers once a second."""

_READ_SECONDS: Final = 5.0
"""Seconds to read the Services and workloads of the cluster."""

_SILENT_SECONDS: Final = 15.0
"""Seconds without a renewed lease after which a node counts as lost: the kubelet renews it every 10 s."""

_SILENT_KINDS: Final = (FailureKind.TIMEOUT, FailureKind.UNREACHABLE, FailureKind.NOT_READY, FailureKind.SERVER_ERROR)
_LEASE: Final = "coordination.k8s.io/v1/Lease"
_WORKLOADS: Final = ("apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlameFinder:
    """Decides whose fault failed tests are.

    Attributes:
        kube: the cluster's API.
        project: the project.
        timeline: file of the recorder.
        canceled: once set, nothing is waited for.
    """

    kube: Kube
    project: Project
    timeline: Path
    canceled: threading.Event

    def __call__(self, failures: Sequence[FailedTest]) -> list[Blame]:
        """Return whose fault each failed test is; nothing if the cluster was not recorded."""
        if not self.timeline.exists():
            return []
        self._settle(failures)
        index = TimelineIndex(decode_timeline(self.timeline.read_bytes()))
        services = self._services(index)
        incidents = find_incidents(index, services, self.project.runner.pod)
        incidents += log_incidents(reported_lines(index, self.timeline.parent, failures))
        blames = [blame_test(test, incidents, services) for test in failures]
        if silent := self._silent_nodes(failures, blames, services):
            blames = [blame_test(test, [*incidents, *silent], services) for test in failures]
        return [self._with_log_lines(blame, index, test.end) for blame, test in zip(blames, failures, strict=True)]

    def _with_log_lines(self, blame: Blame, index: TimelineIndex, end: datetime) -> Blame:
        """Return a blame with the last lines of the container that its first cause regards."""
        if not blame.causes or not blame.causes[0].finding.subject.container:
            return blame
        first = blame.causes[0]
        lines = last_lines(index, self.timeline.parent, first.finding.subject, end)
        finding = replace(first.finding, evidence=(*first.finding.evidence, *lines))
        return replace(blame, causes=(replace(first, finding=finding), *blame.causes[1:]))

    def _silent_nodes(
        self, failures: Sequence[FailedTest], blames: Sequence[Blame], services: ServiceMap
    ) -> list[Incident]:
        """Return the nodes whose kubelet is silent, if an unanswered request to one of their pods is unexplained.

        Kubernetes calls a node not ready 40 s or more after its last sign of life. The lease tells it earlier.
        """
        suspect: dict[str, datetime] = {}
        for test, blame in zip(failures, blames, strict=True):
            if not blame.proven and failure_kind(test.error, test.answers) in _SILENT_KINDS:
                names = {each.service.key for each in concerns_of(test, services)}
                suspect |= {node: test.end for node, behind in services.nodes.items() if behind & names}
        found: list[Incident] = []
        for _ in range(int(_SILENT_SECONDS)):
            now = datetime.now(UTC)
            for node, failed in list(suspect.items()):
                renewed = self._renewed(node)
                if renewed is None or renewed > failed:
                    del suspect[node]
                elif (now - renewed).total_seconds() > _SILENT_SECONDS:
                    found.append(silent_node(node, renewed, now))
                    del suspect[node]
            if not suspect or self.canceled.wait(1.0):
                break
        return found

    def _renewed(self, node: str) -> datetime | None:
        """Return when the kubelet of a node renewed its lease; None if that is unknown."""
        try:
            lease = blocking_calls.call(lambda: self.kube.get(_LEASE, node, "kube-node-lease"), seconds=_READ_SECONDS)
        except (SeatrialError, blocking_calls.Abandoned):
            return None
        renewed = str(((lease or {}).get("spec") or {}).get("renewTime") or "")
        return datetime.fromisoformat(renewed) if renewed else None

    def _settle(self, failures: Sequence[FailedTest]) -> None:
        """Wait until the cause of the last failure can be known, if the cluster may be its cause."""
        suspect = [test.end for test in failures if failure_kind(test.error, test.answers) is not FailureKind.OTHER]
        if suspect:
            passed = (datetime.now(UTC) - max(suspect)).total_seconds()
            self.canceled.wait(max(0.0, _SETTLE_SECONDS - passed))

    def _services(self, index: TimelineIndex) -> ServiceMap:
        """Return the Services; only those of the configuration if the cluster does not answer."""
        spec = self.project.runner
        configured = services_of(self.project.service, spec.namespace)
        try:
            services, workloads, config_maps = blocking_calls.call(self._objects, seconds=_READ_SECONDS)
        except (SeatrialError, blocking_calls.Abandoned):
            services, workloads, config_maps = [], [], []
        return service_map(
            index,
            namespace=spec.namespace,
            configured=configured,
            services=services,
            workloads=workloads,
            config_maps=config_maps,
        )

    def _objects(self) -> tuple[list[Object], list[Object], list[Object]]:
        services, workloads, config_maps = [], [], []
        for namespace in self.project.used_namespaces:
            services += self._list("v1/Service", namespace)
            for kind in _WORKLOADS:
                workloads += [{"kind": kind.rpartition("/")[2], **each} for each in self._list(kind, namespace)]
            config_maps += self._list("v1/ConfigMap", namespace)
        return services, workloads, config_maps

    def _list(self, kind: str, namespace: str) -> list[Object]:
        try:
            return list(self.kube.objects(kind, namespace))
        except SeatrialError:
            # In a shared cluster, seatrial may not be allowed to read every kind.
            return []
