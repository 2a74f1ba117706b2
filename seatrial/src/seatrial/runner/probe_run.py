"""Run the probes of the services in the runner, and report each change of a service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from seatrial.model.errors import NotReady, SeatrialError
from seatrial.model.event import FindingMade, ServiceSeen
from seatrial.model.finding import Finding, ObjectRef
from seatrial.pod.agent.wire import PROBES_ENTRY
from seatrial.ports import Emit, PodExec, StreamBroken
from seatrial.runner import blocking_calls
from seatrial.runner.decoder import Malformed, ProbeReader

__all__ = ["ProbeRun", "probe_after_failed_tests"]

_SLACK_SECONDS: Final = 10.0
"""Seconds that a command in the runner may take to start and end."""

_AFTER_TESTS: Final = 3.0
"""Seconds that services have to answer after tests that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRun:
    """The probes of a project's services, run in the container `tests`.

    Attributes:
        connect: returns commands in the runner.
        probes: one probe for each service, as the script in the runner reads it.
        namespace: namespace of the services in findings; empty in Compose.
        emit: takes events: which service is ready, and what the others wait for.
        canceled: once set, the probes end without a result.
        hint: returns the hint for a service that does not answer.
    """

    connect: Callable[[], PodExec]
    probes: Sequence[dict[str, Any]]
    namespace: str
    emit: Emit
    canceled: threading.Event
    hint: Callable[[str], str] = "seatrial logs {}".format
    _reported: dict[str, str] = field(init=False, default_factory=dict)

    def __call__(self, seconds: float) -> None:
        """Probe all services, each repeatedly until it is ready, for at most `seconds`.

        Raises:
            NotReady: a service is not ready in time, or the runner did not answer.
        """
        if not self.probes:
            return
        argv = ["python3", PROBES_ENTRY, json.dumps(self.probes), f"{max(1.0, seconds):.0f}"]
        message = {probe["name"]: "no answer yet" for probe in self.probes}
        reader = ProbeReader(message)
        try:
            exec_ = self.connect()
            stream = blocking_calls.pieces(
                lambda: exec_.stream(argv, container="tests", silence=seconds + _SLACK_SECONDS)
            )
            with closing(stream):
                for chunk in stream:
                    if self.canceled.is_set():
                        # The run ends. The runner may be paused and never answer.
                        return
                    for probe in reader.feed(chunk) if chunk else ():
                        message[probe.name] = probe.message
                        self._report(probe.name, probe.message)
        except (StreamBroken, Malformed) as broken:
            raise NotReady("the services could not be probed", (), reason=str(broken)) from broken
        findings = [
            Finding(
                cause="NoAnswer",
                subject=ObjectRef(kind="Service", name=name, namespace=self.namespace),
                message=f"service {name} does not answer as declared: {text}",
                hint=self.hint(name),
            )
            for name, text in message.items()
            if text
        ]
        if findings:
            names = ", ".join(name for name, text in message.items() if text)
            raise NotReady(f"{names} not ready within {seconds:.0f} s", findings)

    def _report(self, name: str, message: str) -> None:
        """Emit the state of a service if it changed."""
        if self._reported.get(name) != message:
            self._reported[name] = message
            self.emit(ServiceSeen(name=name, ready=not message, waits_for=message))


def probe_after_failed_tests(
    probe: Callable[[float], None], emit: Emit, *, first: Callable[[], None] = lambda: None
) -> tuple[Finding, ...]:
    """Return which services do not answer after tests that failed, and emit each finding.

    A test that met "connection refused" does not tell whether the service or the test was at fault.

    Args:
        probe: probes all services for some seconds, and raises NotReady.
        emit: takes the findings.
        first: what to do before; it counts towards the time limit.
    """

    def probe_once() -> tuple[Finding, ...]:
        first()
        try:
            probe(_AFTER_TESTS)
        except NotReady as silent:
            for finding in silent.findings:
                emit(FindingMade(finding=finding))
            return silent.findings
        return ()

    try:
        return blocking_calls.call(probe_once, seconds=_AFTER_TESTS + _SLACK_SECONDS)
    except (SeatrialError, blocking_calls.Abandoned):
        # The runner or the cluster does not answer; other findings and the verdict report that.
        return ()
