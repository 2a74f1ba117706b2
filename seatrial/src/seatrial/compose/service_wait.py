"""Wait until the containers of a Compose project are ready or have failed."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady, SeatrialError
from seatrial.model.event import FindingMade, ServiceSeen
from seatrial.model.finding import Finding
from seatrial.model.redaction import SECRETS
from seatrial.ports import ComposeProject, Emit, Object
from seatrial.readiness.container import container_name, judge_container, service_of
from seatrial.readiness.grace import GracePeriods
from seatrial.runner.decoder import decode_log

__all__ = ["ServiceWait", "with_log"]

_PAUSE: Final = 0.2
_LOG_LINES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWait:
    """A wait for the containers of a Compose project.

    Attributes:
        compose: the project.
        emit: takes the state of each service.
        canceled: once set, the wait ends without a result.
    """

    compose: ComposeProject
    emit: Emit
    canceled: threading.Event
    _reported: dict[str, str] = field(init=False, default_factory=dict)

    def __call__(self, containers: list[Object], until: Deadline) -> list[Object]:
        """Wait until all containers are ready, and return them as they are then.

        Args:
            containers: as they are now.
            until: when they have to be ready.

        Raises:
            NotReady: a container failed, or is not ready in time.
        """
        grace = GracePeriods()
        while not self.canceled.is_set():
            verdicts = {container_name(each): judge_container(each) for each in containers}
            for each in containers:
                self._report(service_of(each), verdicts[container_name(each)].reason)
            suspicions = [suspicion for each in verdicts.values() for suspicion in each.suspicions]
            suspected = [each.finding for each in suspicions]
            fatal, _ = grace.update(suspicions, time.monotonic())
            waiting = [service_of(each) for each in containers if verdicts[container_name(each)].state != "ready"]
            if fatal or (waiting and until.passed):
                found = [with_log(self.compose, containers, each) for each in fatal or suspected]
                for finding in found:
                    self.emit(FindingMade(finding=finding))
                raise NotReady(f"{', '.join(waiting)} not ready", found)
            if not waiting:
                break
            time.sleep(_PAUSE)
            containers = self.compose.containers()
        return containers

    def _report(self, service: str, waits_for: str) -> None:
        if self._reported.get(service) != waits_for:
            self._reported[service] = waits_for
            self.emit(ServiceSeen(name=service, ready=not waits_for, waits_for=waits_for))


def with_log(compose: ComposeProject, containers: list[Object], finding: Finding) -> Finding:
    """Return a finding with the last lines that its service printed."""
    name = next((container_name(each) for each in containers if service_of(each) == finding.subject.name), "")
    if not name:
        return finding
    try:
        text = decode_log(SECRETS.data(compose.logs(name, tail=_LOG_LINES)))
    except SeatrialError:
        return finding
    return replace(finding, evidence=(*finding.evidence, *text.splitlines()[-_LOG_LINES:]))
