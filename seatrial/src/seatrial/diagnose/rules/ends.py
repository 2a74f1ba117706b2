"""Find out why a container ended that should run. Pure."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from seatrial.diagnose.rules.objects import container_spec, event_time, memory_limit, pod_ref, probe_text
from seatrial.diagnose.rules.starts import start_error
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["container_end", "restarted"]

_PROBE_LEAD: Final = timedelta(seconds=90)
"""A failed probe this long before the end of a container explains it: 3 failures in intervals of up to 30 s."""

_SIGKILL, _SIGTERM = 137, 143
_SIGNALS: Final = 128
"""A shell and the runtime report the end by signal N as exit code 128 + N."""

_DEFAULT_FAILURES: Final = 3
_OFTEN: Final = 3
"""Restarts from which a container that runs now will probably end again."""


def container_end(
    pod: Object, container: str, ended: Object, warnings: Sequence[Object] = (), *, init: bool = False
) -> Finding:
    """Return why a container ended.

    Args:
        pod: the pod.
        container: name of the container.
        ended: `terminated` of its state or last state.
        warnings: Warning events of the pod, the latest last.
        init: whether it is an init container.
    """
    code, reason = int(ended.get("exitCode") or 0), str(ended.get("reason") or "Error")
    message = str(ended.get("message") or "")
    if reason == "OOMKilled":
        return _out_of_memory(pod, container, code)
    if reason in ("StartError", "ContainerCannotRun"):
        return start_error(pod, container, message)
    if code in (0, _SIGKILL, _SIGTERM) and (probed := _probe_end(pod, container, ended, warnings)):
        return probed
    how = _how(code)
    log = f"read its log: seatrial logs {pod['metadata']['name']} --previous"
    if init:
        return Finding(
            cause="InitContainerFailed", subject=pod_ref(pod, container), message=f"init container {container} {how}",
            evidence=tuple(filter(None, (message,))), hint=log, brief=f"init container {container} failed",
        )  # fmt: skip
    if reason == "Completed" or code == 0:
        return Finding(
            cause="Exited", subject=pod_ref(pod, container),
            message=f"container {container} ended by itself with exit code 0, and a service must keep running",
            evidence=tuple(filter(None, (message,))),
            hint="keep its process in the foreground; use a Job for work that ends", brief="exited with 0",
        )  # fmt: skip
    return Finding(
        cause="Crash" if reason == "Error" else reason,
        subject=pod_ref(pod, container),
        message=f"container {container} {how}",
        evidence=tuple(filter(None, (message,))),
        hint="check its liveness probe and the memory of its node" if code == _SIGKILL else "read the end of its log",
        brief="was killed" if code == _SIGKILL else f"exited with {code}",
    )


def restarted(pod: Object, status: Object, warnings: Sequence[Object] = ()) -> Finding | None:
    """Return why a running container was restarted; None if it was not."""
    count = int(status.get("restartCount") or 0)
    before = (status.get("lastState") or {}).get("terminated") or {}
    if not count or "running" not in (status.get("state") or {}):
        return None
    end = container_end(pod, status["name"], before, warnings) if before else None
    times = "once" if count == 1 else f"{count} times"
    proven = end and (count >= _OFTEN or end.cause in ("OOMKilled", "ChildOOMKilled", "LivenessProbe"))
    cause = end.cause if end and proven else "Restarted"
    finished = f" at {before['finishedAt']}" if before.get("finishedAt") else ""
    return Finding(
        cause=cause,
        subject=pod_ref(pod, status["name"]),
        message=f"restarted {times}; the last time{finished}: {end.message if end else 'for an unknown reason'}",
        evidence=end.evidence if end else (),
        hint=end.hint if end and cause != "Restarted" else f"seatrial logs {pod['metadata']['name']} --previous",
        brief=f"restarted {times}",
    )


def _out_of_memory(pod: Object, container: str, code: int) -> Finding:
    limit = memory_limit(pod, container)
    of = f" of {limit}" if limit else ""
    if code == _SIGKILL:
        message, cause = f"container {container} exceeded its memory limit{of}", "OOMKilled"
    else:
        # Under cgroup v1 the kernel may kill a child of PID 1 alone, and the container ends with any exit code.
        message = (
            f"a child process of container {container} exceeded its memory limit{of}; then {container} {_how(code)}"
        )
        cause = "ChildOOMKilled"
    return Finding(
        cause=cause,
        subject=pod_ref(pod, container),
        message=message,
        hint="increase its memory limit, or reduce its memory use",
        brief=f"OOMKilled at {limit}" if limit else "OOMKilled",
    )


def _probe_end(pod: Object, container: str, ended: Object, warnings: Sequence[Object]) -> Finding | None:
    """Return the liveness or startup probe for which the kubelet ended a container; None if it was none."""
    spec = container_spec(pod, container)
    for kind, cause in (("liveness", "LivenessProbe"), ("startup", "StartupProbe")):
        probe = spec.get(f"{kind}Probe")
        failed = _failed_probe(kind, ended, warnings) if probe else None
        if probe and failed:
            got = failed.partition(" probe failed: ")[2] or failed
            times = int(probe.get("failureThreshold") or _DEFAULT_FAILURES)
            return Finding(
                cause=cause,
                subject=pod_ref(pod, container),
                message=f"container {container} was ended by the kubelet, because its {kind} probe"
                f" ({probe_text(probe)}) failed {times} times: {got.strip()}",
                evidence=(failed,),
                hint=f"correct the probe, or read the log: seatrial logs {pod['metadata']['name']} --previous",
                brief=f"failed its {kind} probe",
            )
    return None


def _failed_probe(kind: str, ended: Object, warnings: Sequence[Object]) -> str:
    finished = _time(str(ended.get("finishedAt") or ""))
    for event in reversed(warnings):
        message = str(event.get("message", ""))
        if event.get("reason") != "Unhealthy" or not message.startswith(f"{kind.capitalize()} probe failed"):
            continue
        moment = _time(event_time(event))
        # An event of a restarted container counts again, so its last time may be later.
        first = _time(str(event.get("firstTimestamp") or "")) or moment
        if finished is None or moment is None or first is None:
            return message
        if first - timedelta(seconds=2) <= finished <= moment + _PROBE_LEAD:
            return message
    return ""


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _how(code: int) -> str:
    """Return how a process ended, with the name of its signal."""
    if code == _SIGKILL:
        return "was killed (exit code 137)"
    if code > _SIGNALS:
        try:
            name = signal.Signals(code - _SIGNALS).name
        except ValueError:
            return f"ended with exit code {code}"
        return f"was ended by {name} (exit code {code})"
    return f"ended with exit code {code}"
