"""Find out whose fault failed tests are: wait for late news of the cluster, read its Services, and apply the rules."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seatrial.diagnose.blame import blame_test
from seatrial.diagnose.failed_test import FailedTest
from seatrial.diagnose.failure_kind import FailureKind, failure_kind
from seatrial.diagnose.incidents.find import find_incidents
from seatrial.diagnose.service_map import ServiceMap, service_map
from seatrial.model.blame import Blame
from seatrial.model.errors import SeatrialError
from seatrial.model.spec import Project
from seatrial.model.timeline import decode_timeline
from seatrial.model.timeline_index import TimelineIndex
from seatrial.ports import Kube, Object
from seatrial.runner import blocking_calls
from seatrial.runner.fixture_settings import services_of

__all__ = ["BlameFinder"]

_SETTLE_SECONDS: Final = 1.5
"""Seconds after a failure until the kubelet has reported its cause: it inspects containers once a second."""

_READ_SECONDS: Final = 5.0
"""Seconds to read the Services and workloads of the cluster."""

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
        return [blame_test(test, incidents, services) for test in failures]

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
